// The loops of weight compression: seeded bases (SeedLM), vector quantisation (VPTQ), entropy coding (rANS).
//
// Every function may be called from any thread, keeps nothing and allocates nothing.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// SeedLM (Shafipour et al. 2024): a block of weights is a pseudo-random basis times a few coefficients.
//
// The basis of a seed, [block, basis], has the numbers of a linear-feedback shift register of seed_bits bits that
// starts at the seed, not 0; each number is a state mapped to -1...1, seed_bits steps after the one before, so that
// neighbours share no bits. Coefficients are 4-bit integers -8...7 times 2^exponent, one exponent for the block, at most
// top_exponent and at least top_exponent - 15.
typedef struct {
  int block;         // weights of a block, 1...FORGE_SEED_BLOCK
  int basis;         // coefficients of a block, 1...FORGE_SEED_BASIS, at most `block`
  int seed_bits;     // 4...16
  int top_exponent;  // -100...100
} forge_seed_form;

enum { FORGE_SEED_BLOCK = 16, FORGE_SEED_BASIS = 4, FORGE_SEED_EXPONENTS = 16 };

// Finds for each of n blocks w[n, block] the seed of the smallest squared error after the coefficients were rounded.
void forge_seed_search(size_t n, const float *w, const forge_seed_form *form, uint16_t *seeds);

// The rounded least-squares coefficients q[n, basis], each plus 8, and exponents[n], as top_exponent - exponent, of
// blocks whose seeds are known.
void forge_seed_coefficients(size_t n, const float *w, const forge_seed_form *form, const uint16_t *seeds, uint8_t *q,
                             uint8_t *exponents);

// w[n, block] from seeds, coefficients and exponents: the same bits on every processor.
void forge_seed_decode(size_t n, const forge_seed_form *form, const uint16_t *seeds, const uint8_t *q,
                       const uint8_t *exponents, float *w);

// Vector quantisation. Vectors are x[n, size]; their elements' weights in the squared distance h[n, size]. A codebook is
// [size, count]: the first elements of all codewords, then the second.
enum { FORGE_VECTOR_SIZE = 8, FORGE_CODEWORDS = 256 };

// The codeword nearest to each vector, the first of equals; distances[n] may be null.
void forge_nearest(size_t n, size_t size, const float *x, const float *h, size_t count, const float *codebook,
                   uint8_t *indices, float *_Nullable distances);

// distances[i] = min(distances[i], the distance of vector i from `center`).
void forge_approach(size_t n, size_t size, const float *x, const float *h, const float *center, float *distances);

// The first index at which the running sum of weights[n] passes `fraction` (0 up to 1) of the whole; n - 1 at the most.
size_t forge_pick(size_t n, const float *weights, double fraction);

// For each codeword's element the weighted sum of the vectors nearest to it, and of the weights: adds to
// sums[size, count] and totals[size, count].
void forge_cluster(size_t n, size_t size, const float *x, const float *h, size_t count, const uint8_t *indices,
                   double *sums, double *totals);

// y[i] of a vector's elements gets the codeword's: y[n, size] += sign * codebook[.., indices[i]].
void forge_add_codewords(size_t n, size_t size, size_t count, const float *codebook, const uint8_t *indices, float sign,
                         float *y);

// sums[i] += x[r, i]^2 over the rows.
void forge_add_squares(size_t rows, size_t width, const float *x, float *sums);

// The sum of h[i % columns] * (a[i] - b[i])^2 over n elements, in double precision.
double forge_weighted_error(size_t n, size_t columns, const float *a, const float *b, const float *h);

// rANS with static frequencies (Duda 2013), a 32-bit state that moves byte by byte.
enum { FORGE_RANS_BITS = 12 };

// Encodes symbols[n]. frequencies[256] sum to 2^FORGE_RANS_BITS, above 0 for every symbol that occurs. The bytes stand at
// the end of out[room], where room is at least 2 * n + 4. Returns how many.
size_t forge_rans_encode(size_t n, const uint8_t *symbols, const uint16_t *frequencies, size_t room, uint8_t *out);

// Decodes symbols[n] from exactly in[bytes]. Returns 0, or -1 when that is not what forge_rans_encode wrote.
int forge_rans_decode(size_t n, const uint16_t *frequencies, size_t bytes, const uint8_t *in, uint8_t *symbols);

#pragma clang assume_nonnull end
