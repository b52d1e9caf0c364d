// Chooses the instruction set at run time and passes each function of forge.h on to its kernel.
#include <stdatomic.h>

#include "include/kernels.h"

const forge_kernels *forge_kernels_of(int level) {
#ifdef __x86_64__
  if (level == FORGE_AVX512) return &forge_avx512_kernels;
  if (level == FORGE_AVX2) return &forge_avx2_kernels;
#endif
  (void)level;
  return &forge_baseline_kernels;
}

static int find_best_level(void) {
#ifdef __x86_64__
  __builtin_cpu_init();
  int fused = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
  if (fused && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512dq") &&
      __builtin_cpu_supports("avx512bw") && __builtin_cpu_supports("avx512vl"))
    return FORGE_AVX512;
  if (fused) return FORGE_AVX2;
#endif
  return FORGE_BASELINE;
}

int forge_best_level(void) {
  // -1 before the first call. Threads that meet there find the same answer, so whoever stores it is right.
  static _Atomic int known = -1;
  int level = atomic_load_explicit(&known, memory_order_relaxed);
  if (level < 0) {
    level = find_best_level();
    atomic_store_explicit(&known, level, memory_order_relaxed);
  }
  return level;
}

static const forge_kernels *kernels(void) { return forge_kernels_of(forge_best_level()); }

size_t forge_gemm_scratch(void) { return kernels()->gemm_scratch; }

void forge_gemm(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column, const float *b,
                size_t b_row, size_t b_column, float beta, float *c, size_t c_row, float *scratch) {
  kernels()->gemm(m, n, k, a, a_row, a_column, b, b_row, b_column, beta, c, c_row, scratch);
}

void forge_gemv(size_t n, size_t k, const float *w, const float *x, float *y) { kernels()->gemv(n, k, w, x, y); }

float forge_dot(size_t n, const float *a, const float *b) { return kernels()->dot(n, a, b); }

void forge_axpy(size_t n, float scale, const float *x, float *y) { kernels()->axpy(n, scale, x, y); }

void forge_scale(size_t n, float scale, float *x) { kernels()->scale(n, scale, x); }

double forge_sum_squares(size_t n, const float *x) { return kernels()->sum_squares(n, x); }

int forge_all_finite(size_t n, const float *x) { return kernels()->all_finite(n, x); }

void forge_ema(size_t n, float decay, const float *x, float *average) { kernels()->ema(n, decay, x, average); }

void forge_rms_norm(size_t rows, size_t width, const float *x, const float *weight, float epsilon, float *y,
                    float *inverse) {
  kernels()->rms_norm(rows, width, x, weight, epsilon, y, inverse);
}

void forge_rms_norm_back(size_t rows, size_t width, const float *x, const float *weight, const float *inverse,
                         const float *dy, float *dx, float *dweight) {
  kernels()->rms_norm_back(rows, width, x, weight, inverse, dy, dx, dweight);
}

void forge_swiglu(size_t n, const float *gate, const float *up, float *y) { kernels()->swiglu(n, gate, up, y); }

void forge_swiglu_back(size_t n, const float *gate, const float *up, const float *dy, float *dgate, float *dup) {
  kernels()->swiglu_back(n, gate, up, dy, dgate, dup);
}

void forge_rope(size_t rows, size_t heads, size_t head_width, float *x, size_t stride, const float *cosine,
                const float *sine, float direction) {
  kernels()->rope(rows, heads, head_width, x, stride, cosine, sine, direction);
}

void forge_causal_softmax(size_t rows, size_t columns, size_t first, float scale, float *s, size_t stride,
                          float *log_sum) {
  kernels()->causal_softmax(rows, columns, first, scale, s, stride, log_sum);
}

void forge_causal_softmax_again(size_t rows, size_t columns, size_t first, float scale, float *s, size_t stride,
                                const float *log_sum) {
  kernels()->causal_softmax_again(rows, columns, first, scale, s, stride, log_sum);
}

void forge_softmax_back(size_t rows, size_t columns, float scale, const float *p, float *dp, size_t stride,
                        const float *inner) {
  kernels()->softmax_back(rows, columns, scale, p, dp, stride, inner);
}

void forge_softmax(size_t n, float scale, float *x) { kernels()->softmax(n, scale, x); }

void forge_cross_entropy(size_t rows, size_t classes, float *logits, const int32_t *targets, const float *weights,
                         float *losses) {
  kernels()->cross_entropy(rows, classes, logits, targets, weights, losses);
}

void forge_cross_entropy_only(size_t rows, size_t classes, const float *logits, const int32_t *targets,
                              float *losses) {
  kernels()->cross_entropy_only(rows, classes, logits, targets, losses);
}

void forge_adamw_step(size_t n, float *p, const float *g, float *m, float *v, const forge_adamw *step) {
  kernels()->adamw_step(n, p, g, m, v, step);
}

void forge_quantize_rows(size_t rows, size_t width, float *x) { kernels()->quantize_rows(rows, width, x); }
