// Ternary matrices, as a BitNet has them (Ma et al. 2024, "The Era of 1-bit LLMs"): every weight is -s, 0 or s.
//
// Every function may be called from any thread, keeps nothing and allocates nothing. A trit is -1, 0 or 1. Trits have
// two forms: 5 to a byte for files, and 2 bits each, in the order the kernel reads them, for products.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// The mean of |w[n]|, summed in double precision: the scale of a matrix. 0 for no weights.
float forge_ternary_scale(size_t n, const float *w);

// y[i] = scale * round(clip(w[i] / (scale + 1e-5), -1, 1)); a half rounds to 0, and no zero is negative. y may be w.
void forge_ternary_round(size_t n, float scale, const float *w, float *y);

// Whether all of w[n] are -scale, 0 or scale.
int forge_is_ternary(size_t n, float scale, const float *w);

// Bytes of n trits in a file: 5 to a byte, the first in the lowest digit of base 3.
size_t forge_trits_bytes(size_t n);

// Packs the signs of w[n] into forge_trits_bytes(n) bytes; what is left of the last byte is 0 trits. Returns how many
// of the n are 0.
size_t forge_trits_pack(size_t n, const float *w, uint8_t *packed);

// Reads them back into trits[n]. Returns 0, or -1 for bytes that forge_trits_pack does not write.
int forge_trits_unpack(size_t n, const uint8_t *packed, int8_t *trits);

// The signs of w[n] as trits.
void forge_trits_signs(size_t n, const float *w, int8_t *trits);

// y[i] = scale * trits[i].
void forge_trits_floats(size_t n, float scale, const int8_t *trits, float *y);

// Elements of a row of k, filled up to what the kernel reads at once: a multiple of 128.
size_t forge_ternary_padded(size_t k);

// Lays out trits[n, k] for the kernel, in n * forge_ternary_padded(k) / 4 bytes. In each 32 bytes, which hold 128 trits,
// byte j has trit j in its lowest two bits, then j + 32, j + 64 and j + 96, each plus 1.
void forge_ternary_layout(size_t n, size_t k, const int8_t *trits, uint8_t *layout);

// Rounds x[k] to the 8-bit grid of its largest magnitude, as forge_quantize_rows does: x[i] is nearly step * q[i]. Sets
// forge_ternary_padded(k) of q, those from k on to 0. Returns step.
float forge_ternary_activations(size_t k, const float *x, int8_t *q);

// dots[i] = the sum over j of trit (i, j) * q[j], exactly, by the kernel of `level`, at most forge_best_level(). k is at
// most 65,536.
void forge_ternary_dots(int level, size_t n, size_t k, const uint8_t *layout, const int8_t *q, int32_t *dots);

// y[i] = scale * step * dots[i], by the kernel of forge_best_level().
void forge_ternary_gemv(size_t n, size_t k, const uint8_t *layout, float scale, const int8_t *q, float step, float *y);

#pragma clang assume_nonnull end
