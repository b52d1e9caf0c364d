// Template, part 1: what the other parts are written with. A file for one instruction set defines WIDTH (floats in a
// vector register), ROWS (rows of forge_gemm's tile) and TABLE, and includes template.h where that set is enabled.
//
// Apart from forge_gemm's tile these are plain loops that the compiler turns into vector code; LOOP says how wide. A
// sum may only be split over lanes where `#pragma clang fp reassociate(on)` stands; nothing else about NaN, infinity
// and rounding is relaxed.

typedef float vec __attribute__((ext_vector_type(WIDTH)));
// The same anywhere in memory.
typedef float loose_vec __attribute__((ext_vector_type(WIDTH), aligned(4)));

#define QUOTED(text) _Pragma(#text)
#define PRAGMA(text) QUOTED(text)
// Stands before a loop whose turns do not depend on each other, except in a sum; `count` vectors are in flight.
#define LOOP(count) PRAGMA(clang loop vectorize(assume_safety) vectorize_width(WIDTH) interleave_count(count))
#define UNROLLED _Pragma("clang loop unroll(full)")
#define INLINED static inline __attribute__((always_inline))

INLINED vec load(const float *x) { return *(const loose_vec *)x; }
INLINED void store(float *x, vec value) { *(loose_vec *)x = value; }

INLINED uint32_t bits_of(float x) {
  uint32_t bits;
  memcpy(&bits, &x, sizeof bits);
  return bits;
}
INLINED float float_of(uint32_t bits) {
  float x;
  memcpy(&x, &bits, sizeof x);
  return x;
}

// Adding and taking away 1.5 * 2^23 rounds a float of magnitude below 2^22 to the nearest integer, ties to even.
#define ROUNDER 12582912.0f

// e^x within 2 units in the last place: x = n ln 2 + r with |r| <= ln 2 / 2, and a polynomial for e^r (Cephes expf,
// Moshier). Below -86.9, where results near the smallest normal float, it is 0; above 88.73 infinity; NaN stays NaN.
INLINED float exponential(float x) {
  const float lowest = -86.9f, highest = 89;
  float bounded = x < lowest ? lowest : x;
  bounded = bounded > highest ? highest : bounded;
  float shifted = bounded * 1.44269504f + ROUNDER;
  float n = shifted - ROUNDER;
  float r = n * -0.693359375f + bounded;
  r = n * 2.12194440e-4f + r;
  float e = 1.9875691500e-4f;
  e = e * r + 1.3981999507e-3f;
  e = e * r + 8.3334519073e-3f;
  e = e * r + 4.1665795894e-2f;
  e = e * r + 1.6666665459e-1f;
  e = e * r + 5.0000001201e-1f;
  e = e * (r * r) + r + 1;
  // The low bits of `shifted` are n; 2^(n-1) is always a normal float, 2^n is not.
  float half = float_of((bits_of(shifted) << 23) + (126u << 23));
  return x < lowest ? 0 : e * half * 2;
}

// The greatest of scale * x[i], -infinity of none; NaN is passed over.
INLINED float greatest(size_t n, float scale, const float *x) {
  vec tops[2] = {(vec)-INFINITY, (vec)-INFINITY};
  size_t i = 0;
  for (; i + 2 * WIDTH <= n; i += 2 * WIDTH) {
    tops[0] = __builtin_elementwise_max(tops[0], load(x + i) * scale);
    tops[1] = __builtin_elementwise_max(tops[1], load(x + i + WIDTH) * scale);
  }
  float top = __builtin_reduce_max(__builtin_elementwise_max(tops[0], tops[1]));
  for (; i < n; i++) top = fmaxf(top, x[i] * scale);
  return top;
}
