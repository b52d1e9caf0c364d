#include "forge.h"
#include <math.h>
#include <string.h>

int forge_best_level(void) { return FORGE_BASELINE; }
int forge_level(void) { return FORGE_BASELINE; }
int forge_use_level(int level) { return level == FORGE_BASELINE ? 0 : -1; }
const char *forge_level_name(int level) { (void)level; return "baseline"; }
size_t forge_gemm_scratch(void) { return 16; }

void forge_gemm(size_t m, size_t n, size_t k, const float *a, size_t ar, size_t ac, const float *b, size_t br,
                size_t bc, float beta, float *c, size_t cr, float *scratch) {
  (void)scratch;
  for (size_t i = 0; i < m; i++) {
    for (size_t j = 0; j < n; j++) c[i * cr + j] = beta == 0 ? 0 : beta * c[i * cr + j];
    if (bc == 1) {
      for (size_t p = 0; p < k; p++) {
        float x = a[i * ar + p * ac];
        for (size_t j = 0; j < n; j++) c[i * cr + j] += x * b[p * br + j];
      }
    } else {
      for (size_t j = 0; j < n; j++) {
        float sum = 0;
        for (size_t p = 0; p < k; p++) sum += a[i * ar + p * ac] * b[p * br + j * bc];
        c[i * cr + j] += sum;
      }
    }
  }
}
void forge_gemv(size_t n, size_t k, const float *w, const float *x, float *y) {
  for (size_t i = 0; i < n; i++) y[i] = forge_dot(k, w + i * k, x);
}
float forge_dot(size_t n, const float *a, const float *b) {
  float sum = 0;
  for (size_t i = 0; i < n; i++) sum += a[i] * b[i];
  return sum;
}
void forge_axpy(size_t n, float scale, const float *x, float *y) { for (size_t i = 0; i < n; i++) y[i] += scale * x[i]; }
void forge_scale(size_t n, float scale, float *x) { for (size_t i = 0; i < n; i++) x[i] *= scale; }
double forge_sum_squares(size_t n, const float *x) {
  double sum = 0;
  for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
  return sum;
}
void forge_rms_norm(size_t rows, size_t width, const float *x, const float *weight, float epsilon, float *y,
                    float *inverse) {
  for (size_t r = 0; r < rows; r++, x += width, y += width) {
    float sum = forge_dot(width, x, x);
    float factor = inverse[r] = 1 / sqrtf(sum / width + epsilon);
    for (size_t i = 0; i < width; i++) y[i] = x[i] * factor * weight[i];
  }
}
void forge_rms_norm_back(size_t rows, size_t width, const float *x, const float *weight, const float *inverse,
                         const float *dy, float *dx, float *dweight) {
  for (size_t r = 0; r < rows; r++, x += width, dy += width, dx += width) {
    float s = inverse[r], inner = 0;
    for (size_t i = 0; i < width; i++) inner += dy[i] * weight[i] * x[i];
    float c = inner * s * s * s / width;
    for (size_t i = 0; i < width; i++) {
      dx[i] += dy[i] * weight[i] * s - x[i] * c;
      dweight[i] += dy[i] * x[i] * s;
    }
  }
}
void forge_swiglu(size_t n, const float *gate, const float *up, float *y) {
  for (size_t i = 0; i < n; i++) y[i] = gate[i] / (1 + expf(-gate[i])) * up[i];
}
void forge_swiglu_back(size_t n, const float *gate, const float *up, const float *dy, float *dgate, float *dup) {
  for (size_t i = 0; i < n; i++) {
    float g = gate[i], u = up[i], s = 1 / (1 + expf(-g));
    dgate[i] = dy[i] * u * s * (1 + g * (1 - s));
    dup[i] = dy[i] * g * s;
  }
}
void forge_rope(size_t rows, size_t heads, size_t head_width, float *x, size_t stride, const float *cosine,
                const float *sine, float direction) {
  size_t half = head_width / 2;
  for (size_t r = 0; r < rows; r++)
    for (size_t h = 0; h < heads; h++) {
      float *v = x + r * stride + h * head_width;
      for (size_t i = 0; i < half; i++) {
        float c = cosine[r * half + i], s = sine[r * half + i] * direction, a = v[i], b = v[i + half];
        v[i] = a * c - b * s;
        v[i + half] = b * c + a * s;
      }
    }
}
void forge_causal_softmax(size_t rows, size_t columns, size_t first, float scale, float *s, size_t stride,
                          float *log_sum) {
  for (size_t r = 0; r < rows; r++) {
    float *x = s + r * stride, top = -INFINITY, sum = 0;
    size_t count = first + r + 1 < columns ? first + r + 1 : columns;
    for (size_t i = 0; i < count; i++) top = fmaxf(top, x[i] * scale);
    for (size_t i = 0; i < count; i++) sum += x[i] = expf(x[i] * scale - top);
    for (size_t i = 0; i < count; i++) x[i] /= sum;
    for (size_t i = count; i < columns; i++) x[i] = 0;
    log_sum[r] = top + logf(sum);
  }
}
void forge_causal_softmax_again(size_t rows, size_t columns, size_t first, float scale, float *s, size_t stride,
                                const float *log_sum) {
  for (size_t r = 0; r < rows; r++) {
    float *x = s + r * stride;
    size_t count = first + r + 1 < columns ? first + r + 1 : columns;
    for (size_t i = 0; i < count; i++) x[i] = expf(x[i] * scale - log_sum[r]);
    for (size_t i = count; i < columns; i++) x[i] = 0;
  }
}
void forge_softmax_back(size_t rows, size_t columns, float scale, const float *p, float *dp, size_t stride,
                        const float *inner) {
  for (size_t r = 0; r < rows; r++)
    for (size_t i = 0; i < columns; i++)
      dp[r * stride + i] = scale * p[r * stride + i] * (dp[r * stride + i] - inner[r]);
}
void forge_softmax(size_t n, float scale, float *x) {
  float top = -INFINITY, sum = 0;
  for (size_t i = 0; i < n; i++) top = fmaxf(top, x[i] * scale);
  for (size_t i = 0; i < n; i++) sum += x[i] = expf(x[i] * scale - top);
  for (size_t i = 0; i < n; i++) x[i] /= sum;
}
void forge_cross_entropy(size_t rows, size_t classes, float *logits, const int32_t *targets, const float *weights,
                         float *losses) {
  for (size_t r = 0; r < rows; r++) {
    float *x = logits + r * classes, top = -INFINITY, sum = 0;
    losses[r] = 0;
    if (targets[r] < 0) {
      memset(x, 0, classes * sizeof *x);
      continue;
    }
    for (size_t i = 0; i < classes; i++) top = fmaxf(top, x[i]);
    float target = x[targets[r]] - top;
    for (size_t i = 0; i < classes; i++) sum += x[i] = expf(x[i] - top);
    losses[r] = logf(sum) - target;
    for (size_t i = 0; i < classes; i++) x[i] *= weights[r] / sum;
    x[targets[r]] -= weights[r];
  }
}
void forge_cross_entropy_only(size_t rows, size_t classes, const float *logits, const int32_t *targets,
                              float *losses) {
  for (size_t r = 0; r < rows; r++) {
    const float *x = logits + r * classes;
    float top = -INFINITY, sum = 0;
    losses[r] = 0;
    if (targets[r] < 0) continue;
    for (size_t i = 0; i < classes; i++) top = fmaxf(top, x[i]);
    for (size_t i = 0; i < classes; i++) sum += expf(x[i] - top);
    losses[r] = logf(sum) - (x[targets[r]] - top);
  }
}
void forge_adamw_step(size_t n, float *p, const float *g, float *m, float *v, const forge_adamw *step) {
  for (size_t i = 0; i < n; i++) {
    float gradient = g[i] * step->gradient_scale;
    m[i] = step->beta1 * m[i] + (1 - step->beta1) * gradient;
    v[i] = step->beta2 * v[i] + (1 - step->beta2) * gradient * gradient;
    float update = m[i] / step->correction1 / (sqrtf(v[i] / step->correction2) + step->epsilon);
    p[i] -= step->rate * (update + step->decay * p[i]);
  }
}
void forge_quantize_rows(size_t rows, size_t width, float *x) {
  for (size_t r = 0; r < rows; r++, x += width) {
    float top = 1e-5f;
    for (size_t i = 0; i < width; i++) top = fmaxf(top, fabsf(x[i]));
    float scale = 127 / top;
    for (size_t i = 0; i < width; i++) x[i] = rintf(x[i] * scale) / scale;
  }
}
