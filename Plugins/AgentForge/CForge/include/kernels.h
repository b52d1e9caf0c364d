// The kernels of one instruction set beside each other. forge.h's functions pass on to the table of the level in use;
// tests call every table without disturbing who computes at the same time.
#pragma once
#include "forge.h"

#pragma clang assume_nonnull begin

// Each entry does what forge.h says of the function forge_<name>.
typedef struct {
  size_t gemm_scratch;
  void (*gemm)(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column, const float *b,
               size_t b_row, size_t b_column, float beta, float *c, size_t c_row, float *scratch);
  void (*gemv)(size_t n, size_t k, const float *w, const float *x, float *y);
  float (*dot)(size_t n, const float *a, const float *b);
  void (*axpy)(size_t n, float scale, const float *x, float *y);
  void (*scale)(size_t n, float scale, float *x);
  double (*sum_squares)(size_t n, const float *x);
  int (*all_finite)(size_t n, const float *x);
  void (*ema)(size_t n, float decay, const float *x, float *average);
  void (*rms_norm)(size_t rows, size_t width, const float *x, const float *weight, float epsilon, float *y,
                   float *inverse);
  void (*rms_norm_back)(size_t rows, size_t width, const float *x, const float *weight, const float *inverse,
                        const float *dy, float *dx, float *dweight);
  void (*swiglu)(size_t n, const float *gate, const float *up, float *y);
  void (*swiglu_back)(size_t n, const float *gate, const float *up, const float *dy, float *dgate, float *dup);
  void (*rope)(size_t rows, size_t heads, size_t head_width, float *x, size_t stride, const float *cosine,
               const float *sine, float direction);
  void (*causal_softmax)(size_t rows, size_t columns, size_t first, float scale, float *s, size_t stride,
                         float *log_sum);
  void (*causal_softmax_again)(size_t rows, size_t columns, size_t first, float scale, float *s, size_t stride,
                               const float *log_sum);
  void (*softmax_back)(size_t rows, size_t columns, float scale, const float *p, float *dp, size_t stride,
                       const float *inner);
  void (*softmax)(size_t n, float scale, float *x);
  void (*cross_entropy)(size_t rows, size_t classes, float *logits, const int32_t *targets, const float *weights,
                        float *losses);
  void (*cross_entropy_only)(size_t rows, size_t classes, const float *logits, const int32_t *targets,
                             float *losses);
  void (*adamw_step)(size_t n, float *p, const float *g, float *m, float *v, const forge_adamw *step);
  void (*quantize_rows)(size_t rows, size_t width, float *x);
} forge_kernels;

// The table of a level from 0 to forge_best_level().
const forge_kernels *forge_kernels_of(int level);

extern const forge_kernels forge_baseline_kernels;
#ifdef __x86_64__
extern const forge_kernels forge_avx2_kernels;
extern const forge_kernels forge_avx512_kernels;
#endif

#pragma clang assume_nonnull end
