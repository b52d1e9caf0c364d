#include "forge_merge.h"
#include <math.h>
#include <string.h>

double forge_merge_dot(size_t n, const float *a, const float *b) {
  // Four sums, so that additions need not wait for each other.
  double sums[4] = {0, 0, 0, 0};
  size_t i = 0;
  for (; i + 4 <= n; i += 4)
    for (size_t k = 0; k < 4; k++) sums[k] += (double)a[i + k] * b[i + k];
  for (; i < n; i++) sums[0] += (double)a[i] * b[i];
  return (sums[0] + sums[1]) + (sums[2] + sums[3]);
}

void forge_merge_delta(size_t n, const float *x, const float *base, float *delta) {
  for (size_t i = 0; i < n; i++) delta[i] = x[i] - base[i];
}

static void swap(float *a, float *b) {
  float t = *a;
  *a = *b;
  *b = t;
}

static float median(float a, float b, float c) { return fmaxf(fminf(a, b), fminf(fmaxf(a, b), c)); }

// The value that would stand at `index` if x[n] were sorted downwards (Hoare 1961); reorders x.
static float select_from_top(float *x, size_t n, size_t index) {
  size_t low = 0, end = n;
  for (;;) {
    float pivot = median(x[low], x[low + (end - low) / 2], x[end - 1]);
    // [low, first) is above the pivot, [first, i) equal, [last, end) below.
    size_t first = low, i = low, last = end;
    while (i < last) {
      if (x[i] > pivot) swap(&x[i++], &x[first++]);
      else if (x[i] < pivot) swap(&x[i], &x[--last]);
      else i++;
    }
    if (index < first) end = first;
    else if (index >= last) low = last;
    else return pivot;
  }
}

void forge_merge_trim(size_t n, size_t keep, float *x, float *scratch) {
  if (keep >= n) return;
  if (keep == 0) {
    memset(x, 0, n * sizeof *x);
    return;
  }
  for (size_t i = 0; i < n; i++) {
    if (isnan(x[i])) x[i] = 0;
    scratch[i] = fabsf(x[i]);
  }
  float edge = select_from_top(scratch, n, keep - 1);
  size_t above = 0;
  for (size_t i = 0; i < n; i++) above += fabsf(x[i]) > edge;
  size_t at_edge = keep - above;
  for (size_t i = 0; i < n; i++) {
    float magnitude = fabsf(x[i]);
    if (magnitude > edge) continue;
    if (magnitude == edge && at_edge > 0) at_edge--;
    else x[i] = 0;
  }
}

void forge_merge_elect(size_t n, size_t count, const float *deltas, const float *weights, float scale, float *out) {
  for (size_t i = 0; i < n; i++) {
    float vote = 0;
    for (size_t k = 0; k < count; k++) vote += weights[k] * deltas[k * n + i];
    float sum = 0, weight = 0;
    for (size_t k = 0; k < count; k++) {
      float delta = deltas[k * n + i];
      if ((delta > 0 && vote > 0) || (delta < 0 && vote < 0)) {
        sum += weights[k] * delta;
        weight += weights[k];
      }
    }
    if (weight > 0) out[i] += scale * sum / weight;
  }
}

void forge_merge_drop(size_t n, uint64_t seed, uint64_t first, double probability, float *x) {
  float scale = (float)(1 / (1 - probability));
  for (size_t i = 0; i < n; i++) {
    // SplitMix64 of the element's number.
    uint64_t z = seed + (first + i + 1) * 0x9E3779B97F4A7C15u;
    z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9u;
    z = (z ^ (z >> 27)) * 0x94D049BB133111EBu;
    z ^= z >> 31;
    x[i] = (double)(z >> 11) * 0x1p-53 < probability ? 0 : x[i] * scale;
  }
}
