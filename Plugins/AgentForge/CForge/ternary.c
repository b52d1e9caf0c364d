#include "include/forge_ternary.h"

#include <math.h>
#include <string.h>

#include "include/forge.h"

// Weights that the kernel reads at once, and the bytes that hold them.
enum { GROUP = 128, GROUP_BYTES = 32 };

float forge_ternary_scale(size_t n, const float *w) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += fabsf(w[i]);
  return n == 0 ? 0 : (float)(sum / (double)n);
}

void forge_ternary_round(size_t n, float scale, const float *w, float *y) {
  float half = 0.5f * (scale + 1e-5f);
  for (size_t i = 0; i < n; i++) y[i] = w[i] > half ? scale : w[i] < -half ? -scale : 0;
}

int forge_is_ternary(size_t n, float scale, const float *w) {
  int others = 0;
  for (size_t i = 0; i < n; i++) others |= w[i] != 0 && fabsf(w[i]) != scale;
  return !others;
}

size_t forge_trits_bytes(size_t n) { return n / 5 + (n % 5 != 0); }

size_t forge_trits_pack(size_t n, const float *w, uint8_t *packed) {
  size_t zeros = 0;
  for (size_t i = 0; i < n; i += 5) {
    int byte = 0;
    for (size_t j = 5; j-- > 0;) {
      float x = i + j < n ? w[i + j] : 0;
      zeros += i + j < n && x == 0;
      byte = byte * 3 + (x > 0) - (x < 0) + 1;
    }
    *packed++ = (uint8_t)byte;
  }
  return zeros;
}

int forge_trits_unpack(size_t n, const uint8_t *packed, int8_t *trits) {
  for (size_t i = 0; i < n; i += 5) {
    int byte = *packed++;
    for (size_t j = 0; j < 5; j++, byte /= 3) {
      int trit = byte % 3 - 1;
      if (i + j < n) trits[i + j] = (int8_t)trit;
      else if (trit != 0) return -1;
    }
    if (byte != 0) return -1;
  }
  return 0;
}

void forge_trits_signs(size_t n, const float *w, int8_t *trits) {
  for (size_t i = 0; i < n; i++) trits[i] = (int8_t)((w[i] > 0) - (w[i] < 0));
}

void forge_trits_floats(size_t n, float scale, const int8_t *trits, float *y) {
  for (size_t i = 0; i < n; i++) y[i] = trits[i] > 0 ? scale : trits[i] < 0 ? -scale : 0;
}

size_t forge_ternary_padded(size_t k) { return (k + GROUP - 1) / GROUP * GROUP; }

void forge_ternary_layout(size_t n, size_t k, const int8_t *trits, uint8_t *layout) {
  size_t padded = forge_ternary_padded(k);
  for (size_t i = 0; i < n; i++, trits += k) {
    for (size_t start = 0; start < padded; start += GROUP, layout += GROUP_BYTES) {
      for (size_t j = 0; j < GROUP_BYTES; j++) {
        int byte = 0;
        for (size_t part = 0; part < 4; part++) {
          size_t column = start + part * GROUP_BYTES + j;
          byte |= ((column < k ? trits[column] : 0) + 1) << (2 * part);
        }
        layout[j] = (uint8_t)byte;
      }
    }
  }
}

float forge_ternary_activations(size_t k, const float *x, int8_t *q) {
  float top = 1e-5f;
  for (size_t i = 0; i < k; i++) top = fmaxf(top, fabsf(x[i]));
  float scale = 127 / top;
  for (size_t i = 0; i < k; i++) q[i] = (int8_t)rintf(x[i] * scale);
  memset(q + k, 0, forge_ternary_padded(k) - k);
  return 1 / scale;
}

// The kernels sum (trit + 1) * q, of which the sum of q is taken off again.
static int32_t total(size_t padded, const int8_t *q) {
  int32_t sum = 0;
  for (size_t i = 0; i < padded; i++) sum += q[i];
  return sum;
}

static void dots_baseline(size_t n, size_t padded, const uint8_t *layout, const int8_t *q, int32_t *dots) {
  int32_t all = total(padded, q);
  for (size_t i = 0; i < n; i++) {
    int32_t sum = 0;
    for (size_t start = 0; start < padded; start += GROUP, layout += GROUP_BYTES) {
      const int8_t *x = q + start;
      for (size_t j = 0; j < GROUP_BYTES; j++) {
        int byte = layout[j];
        sum += (byte & 3) * x[j] + (byte >> 2 & 3) * x[j + 32] + (byte >> 4 & 3) * x[j + 64] + (byte >> 6) * x[j + 96];
      }
    }
    dots[i] = sum - all;
  }
}

#ifdef __x86_64__
#include <immintrin.h>

__attribute__((target("avx2"))) static void dots_avx2(size_t n, size_t padded, const uint8_t *layout, const int8_t *q,
                                                      int32_t *dots) {
  int32_t all = total(padded, q);
  const __m256i low = _mm256_set1_epi8(3), ones = _mm256_set1_epi16(1);
  // A group adds at most 4 * 2 * 2 * 127 = 2,032 to each 16-bit sum, so 16 groups fit.
  const size_t span = 16 * GROUP;
  for (size_t i = 0; i < n; i++) {
    __m256i wide = _mm256_setzero_si256();
    for (size_t from = 0; from < padded; from += span) {
      size_t end = from + span < padded ? from + span : padded;
      __m256i sums = _mm256_setzero_si256();
      for (size_t start = from; start < end; start += GROUP, layout += GROUP_BYTES) {
        const __m256i *x = (const __m256i *)(q + start);
        __m256i codes = _mm256_loadu_si256((const __m256i *)layout);
        __m256i a = _mm256_and_si256(codes, low);
        __m256i b = _mm256_and_si256(_mm256_srli_epi16(codes, 2), low);
        __m256i c = _mm256_and_si256(_mm256_srli_epi16(codes, 4), low);
        __m256i d = _mm256_and_si256(_mm256_srli_epi16(codes, 6), low);
        a = _mm256_maddubs_epi16(a, _mm256_loadu_si256(x));
        b = _mm256_maddubs_epi16(b, _mm256_loadu_si256(x + 1));
        c = _mm256_maddubs_epi16(c, _mm256_loadu_si256(x + 2));
        d = _mm256_maddubs_epi16(d, _mm256_loadu_si256(x + 3));
        sums = _mm256_add_epi16(sums, _mm256_add_epi16(_mm256_add_epi16(a, b), _mm256_add_epi16(c, d)));
      }
      wide = _mm256_add_epi32(wide, _mm256_madd_epi16(sums, ones));
    }
    __m128i half = _mm_add_epi32(_mm256_castsi256_si128(wide), _mm256_extracti128_si256(wide, 1));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0x4e));
    half = _mm_add_epi32(half, _mm_shuffle_epi32(half, 0xb1));
    dots[i] = _mm_cvtsi128_si32(half) - all;
  }
}
#endif

void forge_ternary_dots(int level, size_t n, size_t k, const uint8_t *layout, const int8_t *q, int32_t *dots) {
  size_t padded = forge_ternary_padded(k);
#ifdef __x86_64__
  if (level >= FORGE_AVX2) {
    dots_avx2(n, padded, layout, q, dots);
    return;
  }
#endif
  (void)level;
  dots_baseline(n, padded, layout, q, dots);
}

void forge_ternary_gemv(size_t n, size_t k, const uint8_t *layout, float scale, const int8_t *q, float step,
                        float *y) {
  enum { ROWS = 256 };
  int32_t dots[ROWS];
  int level = forge_best_level();
  size_t row_bytes = forge_ternary_padded(k) / 4;
  float factor = scale * step;
  for (size_t start = 0; start < n; start += ROWS) {
    size_t count = n - start < ROWS ? n - start : ROWS;
    forge_ternary_dots(level, count, k, layout + start * row_bytes, q, dots);
    for (size_t i = 0; i < count; i++) y[start + i] = factor * (float)dots[i];
  }
}
