#include <float.h>
#include <math.h>
#include <string.h>

#include "include/forge.h"
#include "include/forge_compress.h"

enum { BLOCK = FORGE_SEED_BLOCK, BASIS = FORGE_SEED_BASIS };

// Feedback of maximal length in Galois form, by the number of bits from 4 on (Alfke 1996, Xilinx XAPP 052).
static const uint16_t feedbacks[13] = {0x9,   0x14,  0x30,  0x60,   0xB8,   0x110,  0x240,
                                       0x500, 0xE08, 0x1C80, 0x3802, 0x6000, 0xD008};

// The basis of a seed, [block, basis].
static void basis_of(const forge_seed_form *form, uint32_t seed, float u[BLOCK * BASIS]) {
  uint32_t feedback = feedbacks[form->seed_bits - 4], state = seed;
  float middle = (float)(1 << (form->seed_bits - 1));
  for (int i = 0; i < form->block * form->basis; i++) {
    for (int bit = 0; bit < form->seed_bits; bit++) state = state >> 1 ^ (-(state & 1) & feedback);
    u[i] = ((float)state - middle) / (middle - 1);
  }
}

// Solves for the rows of (uᵀu)⁻¹uᵀ, pseudo[basis, block], and gives uᵀu; false when the basis is close to dependent.
static int pseudo_inverse(const forge_seed_form *form, const float *u, double gram[BASIS][BASIS],
                          double pseudo[BASIS][BLOCK]) {
  int size = form->basis;
  double left[BASIS][BASIS];
  for (int p = 0; p < size; p++) {
    for (int r = 0; r < size; r++) {
      double sum = 0;
      for (int c = 0; c < form->block; c++) sum += (double)u[c * size + p] * u[c * size + r];
      left[p][r] = gram[p][r] = sum;
    }
    for (int c = 0; c < form->block; c++) pseudo[p][c] = u[c * size + p];
  }
  // Gauss-Jordan; the matrix is symmetric and positive, so it needs no exchange of rows.
  for (int p = 0; p < size; p++) {
    double pivot = left[p][p];
    if (!(pivot > 1e-3 * gram[p][p]) || pivot < 1e-9) return 0;
    for (int r = 0; r < size; r++) left[p][r] /= pivot;
    for (int c = 0; c < form->block; c++) pseudo[p][c] /= pivot;
    for (int r = 0; r < size; r++) {
      double factor = left[r][p];
      if (r == p) continue;
      for (int i = 0; i < size; i++) left[r][i] -= factor * left[p][i];
      for (int c = 0; c < form->block; c++) pseudo[r][c] -= factor * pseudo[p][c];
    }
  }
  return 1;
}

// Seeds are tried 16 at a time, one in each lane.
enum { LANES = 16 };
typedef float lanes __attribute__((vector_size(4 * LANES)));
typedef int32_t whole __attribute__((vector_size(4 * LANES)));

typedef struct {
  lanes pseudo[BASIS][BLOCK];
  // Of uᵀu, row p from column p on; what stands beside the diagonal is doubled.
  lanes gram[BASIS][BASIS];
} seed_table;

static void fill(seed_table *table, const forge_seed_form *form, uint32_t first) {
  memset(table, 0, sizeof *table);
  for (int lane = 0; lane < LANES; lane++) {
    uint32_t seed = first + (uint32_t)lane;
    float u[BLOCK * BASIS];
    double gram[BASIS][BASIS], pseudo[BASIS][BLOCK];
    // A lane that stays 0 predicts 0.
    if (seed == 0 || seed >> form->seed_bits) continue;
    basis_of(form, seed, u);
    if (!pseudo_inverse(form, u, gram, pseudo)) continue;
    for (int p = 0; p < form->basis; p++) {
      for (int c = 0; c < form->block; c++) table->pseudo[p][c][lane] = (float)pseudo[p][c];
      for (int r = p; r < form->basis; r++) table->gram[p][r][lane] = (float)(gram[p][r] * (r == p ? 1 : 2));
    }
  }
}

// Sets `error` to the squared errors of block w by the table's seeds, less the block's own square.
static inline __attribute__((always_inline)) void find_errors(const float *w, int block, int basis, int top_exponent,
                                                              const seed_table *table, lanes *error) {
  lanes t[BASIS], gap[BASIS], most = {0};
  for (int p = 0; p < basis; p++) {
    lanes sum = {0};
    for (int c = 0; c < block; c++) sum += table->pseudo[p][c] * w[c];
    most = __builtin_elementwise_max(most, __builtin_elementwise_abs(sum));
    t[p] = sum;
  }
  // The least exponent for which 7.5 * 2^exponent is no less than `most`: adding all mantissa bits rounds the exponent
  // up unless the mantissa is 0.
  whole exponent = (((whole)(most * (1 / 7.5f)) + 0x7fffff) >> 23) - 127;
  exponent = __builtin_elementwise_max(exponent, (whole){0} + (top_exponent - FORGE_SEED_EXPONENTS + 1));
  exponent = __builtin_elementwise_min(exponent, (whole){0} + top_exponent);
  lanes step = (lanes)((exponent + 127) << 23), inverse = (lanes)((127 - exponent) << 23);
  for (int p = 0; p < basis; p++) {
    lanes q = __builtin_elementwise_min(__builtin_elementwise_max(t[p] * inverse, (lanes){0} - 8), (lanes){0} + 7);
    // Adding 1.5 * 2^23 leaves no room for a fraction: rounds to the nearest integer.
    q = (q + 12582912.0f) - 12582912.0f;
    gap[p] = t[p] - q * step;
  }
  // |w - uq|² = |w|² - tᵀ(uᵀu)t + (t - q)ᵀ(uᵀu)(t - q)
  lanes sum = {0};
  for (int p = 0; p < basis; p++)
    for (int r = p; r < basis; r++) sum += table->gram[p][r] * (gap[p] * gap[r] - t[p] * t[r]);
  *error = sum;
}

// A part of the blocks, whose best errors stay on the stack.
enum { PART = 1024 };

static inline __attribute__((always_inline)) void try_seeds(size_t n, const float *w, int block, int basis,
                                                            int top_exponent, const seed_table *table, uint32_t first,
                                                            float *best, uint16_t *seeds) {
  for (size_t i = 0; i < n; i++) {
    lanes errors;
    find_errors(w + i * (size_t)block, block, basis, top_exponent, table, &errors);
    if (!(__builtin_reduce_min(errors) < best[i])) continue;
    for (int lane = 0; lane < LANES; lane++) {
      if (errors[lane] < best[i] && first + (uint32_t)lane != 0) {
        best[i] = errors[lane];
        seeds[i] = (uint16_t)(first + (uint32_t)lane);
      }
    }
  }
}

static inline __attribute__((always_inline)) void search(size_t n, const float *w, const forge_seed_form *form,
                                                         uint16_t *seeds) {
  seed_table table;
  float best[PART];
  for (size_t i = 0; i < n; i++) {
    best[i] = FLT_MAX;
    seeds[i] = 1;
  }
  int top = form->top_exponent;
  for (uint32_t first = 0; first >> form->seed_bits == 0; first += LANES) {
    fill(&table, form, first);
    // With the number of coefficients known, their loops unroll into registers.
    switch (form->basis) {
      case 1: try_seeds(n, w, form->block, 1, top, &table, first, best, seeds); break;
      case 2: try_seeds(n, w, form->block, 2, top, &table, first, best, seeds); break;
      case 3: try_seeds(n, w, form->block, 3, top, &table, first, best, seeds); break;
      default: try_seeds(n, w, form->block, 4, top, &table, first, best, seeds); break;
    }
  }
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void search_avx2(size_t n, const float *w, const forge_seed_form *form,
                                                            uint16_t *seeds) {
  search(n, w, form, seeds);
}
#endif

void forge_seed_search(size_t n, const float *w, const forge_seed_form *form, uint16_t *seeds) {
  for (size_t start = 0; start < n; start += PART) {
    size_t count = n - start < PART ? n - start : PART;
#ifdef __x86_64__
    if (forge_best_level() >= FORGE_AVX2) {
      search_avx2(count, w + start * form->block, form, seeds + start);
      continue;
    }
#endif
    search(count, w + start * form->block, form, seeds + start);
  }
}

void forge_seed_coefficients(size_t n, const float *w, const forge_seed_form *form, const uint16_t *seeds, uint8_t *q,
                             uint8_t *exponents) {
  for (size_t i = 0; i < n; i++, w += form->block, q += form->basis) {
    float u[BLOCK * BASIS];
    double gram[BASIS][BASIS], pseudo[BASIS][BLOCK], t[BASIS] = {0}, most = 0;
    basis_of(form, seeds[i], u);
    int isSolved = pseudo_inverse(form, u, gram, pseudo);
    for (int p = 0; p < form->basis && isSolved; p++) {
      for (int c = 0; c < form->block; c++) t[p] += pseudo[p][c] * w[c];
      most = fmax(most, fabs(t[p]));
    }
    int exponent = form->top_exponent - FORGE_SEED_EXPONENTS + 1;
    while (exponent < form->top_exponent && ldexp(7.5, exponent) < most) exponent++;
    exponents[i] = (uint8_t)(form->top_exponent - exponent);
    for (int p = 0; p < form->basis; p++)
      q[p] = (uint8_t)(fmax(-8, fmin(7, rint(ldexp(t[p], -exponent)))) + 8);
  }
}

void forge_seed_decode(size_t n, const forge_seed_form *form, const uint16_t *seeds, const uint8_t *q,
                       const uint8_t *exponents, float *w) {
  // Products and sums must not be fused here, or processors would differ in the last bit.
#pragma clang fp contract(off)
  for (size_t i = 0; i < n; i++, w += form->block, q += form->basis) {
    float u[BLOCK * BASIS];
    basis_of(form, seeds[i], u);
    float step = ldexpf(1, form->top_exponent - exponents[i]);
    for (int c = 0; c < form->block; c++) {
      float sum = 0;
      for (int p = 0; p < form->basis; p++) sum += u[c * form->basis + p] * (float)(q[p] - 8);
      w[c] = sum * step;
    }
  }
}
