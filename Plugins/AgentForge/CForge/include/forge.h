// The loops over numbers that a language model spends its time in.
//
// Every function may be called from any thread, keeps nothing, allocates nothing, and is deterministic: the same
// arguments on the same instruction set give the same bits. Matrices are float32, row-major; a "stride" is the distance
// between rows, counted in floats. Pointers need no alignment. Arguments overlap only where it is said.
#pragma once
#include <stddef.h>
#include <stdint.h>

#pragma clang assume_nonnull begin

// The instruction sets there are kernels for, from the one every processor has.
enum { FORGE_BASELINE = 0, FORGE_AVX2 = 1, FORGE_AVX512 = 2 };

// The best set that this processor has, which is the one in use; asked for once, at the first call of any function.
int forge_best_level(void);

// Floats of scratch that forge_gemm needs, for any size and level: 1.2 MB.
size_t forge_gemm_scratch(void);

// c[m,n] = beta * c + a[m,k] * b[k,n]. An element of `a` at (i, p) is a[i * a_row + p * a_column], of `b` at (p, j)
// b[p * b_row + j * b_column]: a transposed matrix is the same memory with its strides exchanged. With beta 0, `c` is
// not read. `scratch` has forge_gemm_scratch() floats and belongs to this call. `c` overlaps nothing.
void forge_gemm(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column, const float *b,
                size_t b_row, size_t b_column, float beta, float *c, size_t c_row, float *scratch);

// y[n] = w[n,k] * x[k], the rows of `w` one after another.
void forge_gemv(size_t n, size_t k, const float *w, const float *x, float *y);

// The sum of a[i] * b[i].
float forge_dot(size_t n, const float *a, const float *b);

// y += scale * x.
void forge_axpy(size_t n, float scale, const float *x, float *y);

// x *= scale.
void forge_scale(size_t n, float scale, float *x);

// The sum of x[i]^2, summed in double precision.
double forge_sum_squares(size_t n, const float *x);

// 1 when no element is NaN or infinite, else 0.
int forge_all_finite(size_t n, const float *x);

// Exponential moving average: average = decay * average + (1 - decay) * x.
void forge_ema(size_t n, float decay, const float *x, float *average);

// RMSNorm (Zhang and Sennrich 2019) of each row: y = x / sqrt(mean(x^2) + epsilon) * weight. `inverse[rows]` gets the
// factor 1 / sqrt(…) of each row, for the backward pass.
void forge_rms_norm(size_t rows, size_t width, const float *x, const float *weight, float epsilon, float *y,
                    float *inverse);

// The backward pass of the same: adds to dx[rows,width] and to dweight[width].
void forge_rms_norm_back(size_t rows, size_t width, const float *x, const float *weight, const float *inverse,
                         const float *dy, float *dx, float *dweight);

// SwiGLU (Shazeer 2020): y = gate * sigmoid(gate) * up.
//
// Its exponential, and that of every softmax below, is right within 2 units in the last place; below e^-86.9, near the
// smallest normal float, it is 0.
void forge_swiglu(size_t n, const float *gate, const float *up, float *y);

// The backward pass of the same: sets dgate and dup. dgate may be gate, dup may be up.
void forge_swiglu_back(size_t n, const float *gate, const float *up, const float *dy, float *dgate, float *dup);

// Rotary positions (Su et al. 2021) in place, pairing element i with i + head_width / 2 of each head, as Llama does.
// Row r of x has `heads` heads beside each other; `cosine` and `sine` are tables [.., head_width / 2], of which row r
// uses row r. `direction` is 1 forward, -1 for the backward pass.
void forge_rope(size_t rows, size_t heads, size_t head_width, float *x, size_t stride, const float *cosine,
                const float *sine, float direction);

// Softmax in place of scale * s[rows, columns] over the first `first + r + 1` columns of row r (causal attention: row r
// is position `first + r`); the columns after that become 0, whatever was there. `log_sum[rows]` gets
// log(sum(exp(scale * s))).
void forge_causal_softmax(size_t rows, size_t columns, size_t first, float scale, float *s, size_t stride,
                          float *log_sum);

// Recomputes that softmax's result from scores and log_sum: s = exp(scale * s - log_sum), 0 after the diagonal.
void forge_causal_softmax_again(size_t rows, size_t columns, size_t first, float scale, float *s, size_t stride,
                                const float *log_sum);

// The backward pass of softmax, in place on dp: dp = scale * p * (dp - inner[r]), where inner[r] is the sum over the
// row of p * dp, which the caller has as dot(out, dout) of the head (Dao et al. 2022, equation 4).
void forge_softmax_back(size_t rows, size_t columns, float scale, const float *p, float *dp, size_t stride,
                        const float *inner);

// Softmax of one row in place: x = softmax(x * scale). An element of -infinity becomes 0; one NaN or +infinity makes
// the row NaN.
void forge_softmax(size_t n, float scale, float *x);

// Cross-entropy in nats of each row of logits[rows, classes] (its stride is `classes`) with the class targets[r];
// losses[r] gets it, 0 for a target below 0, which counts for nothing. The logits become their own gradient, times
// weights[r] (each row's share in the total loss); rows without a target become 0. Targets are below `classes`. A NaN
// or +infinity among the logits of a row with a target makes its loss NaN.
void forge_cross_entropy(size_t rows, size_t classes, float *logits, const int32_t *targets, const float *weights,
                         float *losses);

// The losses alone; the logits are left as they are.
void forge_cross_entropy_only(size_t rows, size_t classes, const float *logits, const int32_t *targets,
                              float *losses);

// What AdamW is to do in one step.
typedef struct {
  float rate;            // learning rate
  float beta1, beta2;    // decay of the moments
  float epsilon;         // beside the root
  float decay;           // weight decay, times rate
  float correction1, correction2;  // 1 - beta^step
  float gradient_scale;  // each gradient is multiplied by it first: clipping, averaging
} forge_adamw;

// One step of AdamW (Loshchilov and Hutter 2019) over n parameters p with gradients g and moments m, v.
void forge_adamw_step(size_t n, float *p, const float *g, float *m, float *v, const forge_adamw *step);

// BitLinear's activations (Ma et al. 2024): each row is rounded to the 8-bit grid of its largest magnitude, in place.
void forge_quantize_rows(size_t rows, size_t width, float *x);

#pragma clang assume_nonnull end
