#include <float.h>
#include <math.h>
#include <string.h>

#include "include/forge.h"
#include "include/forge_compress.h"

void forge_approach(size_t n, size_t size, const float *x, const float *h, const float *center, float *distances) {
  for (size_t i = 0; i < n; i++) {
    float sum = 0;
    for (size_t d = 0; d < size; d++) {
      float gap = x[i * size + d] - center[d];
      sum += h[i * size + d] * gap * gap;
    }
    if (sum < distances[i]) distances[i] = sum;
  }
}

size_t forge_pick(size_t n, const float *weights, double fraction) {
  double whole = 0, sum = 0;
  for (size_t i = 0; i < n; i++) whole += weights[i];
  for (size_t i = 0; i < n; i++) {
    sum += weights[i];
    if (sum > fraction * whole) return i;
  }
  return n - 1;
}

void forge_cluster(size_t n, size_t size, const float *x, const float *h, size_t count, const uint8_t *indices,
                   double *sums, double *totals) {
  for (size_t i = 0; i < n; i++)
    for (size_t d = 0; d < size; d++) {
      sums[d * count + indices[i]] += (double)h[i * size + d] * x[i * size + d];
      totals[d * count + indices[i]] += h[i * size + d];
    }
}

void forge_add_codewords(size_t n, size_t size, size_t count, const float *codebook, const uint8_t *indices, float sign,
                         float *y) {
  for (size_t i = 0; i < n; i++)
    for (size_t d = 0; d < size; d++) y[i * size + d] += sign * codebook[d * count + indices[i]];
}

void forge_add_squares(size_t rows, size_t width, const float *x, float *sums) {
  for (size_t r = 0; r < rows; r++, x += width)
    for (size_t i = 0; i < width; i++) sums[i] += x[i] * x[i];
}

double forge_weighted_error(size_t n, size_t columns, const float *a, const float *b, const float *h) {
  double sum = 0;
  for (size_t start = 0; start < n; start += columns)
    for (size_t j = 0; j < columns && start + j < n; j++) {
      double gap = (double)a[start + j] - b[start + j];
      sum += h[j] * gap * gap;
    }
  return sum;
}

static inline __attribute__((always_inline)) void nearest(size_t n, size_t size, const float *x, const float *h,
                                                          size_t count, const float *codebook, uint8_t *indices,
                                                          float *distances) {
  for (size_t i = 0; i < n; i++, x += size, h += size) {
    float sums[FORGE_CODEWORDS] = {0};
    for (size_t d = 0; d < size; d++) {
      const float *words = codebook + d * count;
      float own = x[d], weight = h[d];
      for (size_t c = 0; c < count; c++) {
        float gap = own - words[c];
        sums[c] += weight * gap * gap;
      }
    }
    float least = FLT_MAX;
    for (size_t c = 0; c < count; c++) least = sums[c] < least ? sums[c] : least;
    size_t index = 0;
    while (index + 1 < count && sums[index] > least) index++;
    indices[i] = (uint8_t)index;
    if (distances) distances[i] = least;
  }
}

#ifdef __x86_64__
__attribute__((target("avx2,fma"))) static void nearest_avx2(size_t n, size_t size, const float *x, const float *h,
                                                             size_t count, const float *codebook, uint8_t *indices,
                                                             float *distances) {
  nearest(n, size, x, h, count, codebook, indices, distances);
}
#endif

void forge_nearest(size_t n, size_t size, const float *x, const float *h, size_t count, const float *codebook,
                   uint8_t *indices, float *distances) {
#ifdef __x86_64__
  if (forge_best_level() >= FORGE_AVX2) {
    nearest_avx2(n, size, x, h, count, codebook, indices, distances);
    return;
  }
#endif
  nearest(n, size, x, h, count, codebook, indices, distances);
}
