// Template, part 2: vectors, sums over them, and what changes parameters.

static float dot(size_t n, const float *a, const float *b) {
#pragma clang fp reassociate(on)
  float sum = 0, rest = 0;
  size_t whole = n / (4 * WIDTH) * (4 * WIDTH);
  LOOP(4)
  for (size_t i = 0; i < whole; i++) sum += a[i] * b[i];
  LOOP(1)
  for (size_t i = whole; i < n; i++) rest += a[i] * b[i];
  return sum + rest;
}

// y[n] = beta * y + w[n,k] * x[k], the rows of `w` `stride` apart; four rows at a time share the loads of x.
INLINED void dots(size_t n, size_t k, const float *w, size_t stride, const float *x, float beta, float *y) {
#pragma clang fp reassociate(on)
  size_t row = 0;
  for (; row + 4 <= n; row += 4, w += 4 * stride) {
    const float *w1 = w + stride, *w2 = w1 + stride, *w3 = w2 + stride;
    float sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
    LOOP(2)
    for (size_t i = 0; i < k; i++) {
      sum0 += w[i] * x[i];
      sum1 += w1[i] * x[i];
      sum2 += w2[i] * x[i];
      sum3 += w3[i] * x[i];
    }
    const float sums[4] = {sum0, sum1, sum2, sum3};
    for (size_t j = 0; j < 4; j++) y[row + j] = beta == 0 ? sums[j] : beta * y[row + j] + sums[j];
  }
  for (; row < n; row++, w += stride) {
    float sum = dot(k, w, x);
    y[row] = beta == 0 ? sum : beta * y[row] + sum;
  }
}

static void gemv(size_t n, size_t k, const float *w, const float *x, float *y) { dots(n, k, w, k, x, 0, y); }

static void axpy(size_t n, float scale, const float *x, float *y) {
  LOOP(2)
  for (size_t i = 0; i < n; i++) y[i] += scale * x[i];
}

static void scale(size_t n, float scale, float *x) {
  LOOP(2)
  for (size_t i = 0; i < n; i++) x[i] *= scale;
}

static double sum_squares(size_t n, const float *x) {
#pragma clang fp reassociate(on)
  double sum = 0;
  LOOP(2)
  for (size_t i = 0; i < n; i++) sum += (double)x[i] * x[i];
  return sum;
}

// A float is finite unless all bits of its exponent are set. Looks at 4096 at a time, to end early.
static int all_finite(size_t n, const float *x) {
  const uint32_t infinity = 0x7F800000;
  for (size_t start = 0; start < n; start += 4096) {
    size_t end = n - start < 4096 ? n : start + 4096;
    uint32_t largest = 0;
    LOOP(4)
    for (size_t i = start; i < end; i++) {
      uint32_t exponent = bits_of(x[i]) & infinity;
      largest = exponent > largest ? exponent : largest;
    }
    if (largest == infinity) return 0;
  }
  return 1;
}

static void ema(size_t n, float decay, const float *x, float *average) {
  float rest = 1 - decay;
  LOOP(2)
  for (size_t i = 0; i < n; i++) average[i] = decay * average[i] + rest * x[i];
}

static void adamw_step(size_t n, float *p, const float *g, float *m, float *v, const forge_adamw *step) {
  const forge_adamw s = *step;
  float rest1 = 1 - s.beta1, rest2 = 1 - s.beta2, inverse1 = 1 / s.correction1, inverse2 = 1 / s.correction2;
  LOOP(1)
  for (size_t i = 0; i < n; i++) {
    float gradient = g[i] * s.gradient_scale;
    float mean = s.beta1 * m[i] + rest1 * gradient;
    float square = s.beta2 * v[i] + rest2 * (gradient * gradient);
    float update = mean * inverse1 / (__builtin_elementwise_sqrt(square * inverse2) + s.epsilon);
    m[i] = mean;
    v[i] = square;
    p[i] -= s.rate * (update + s.decay * p[i]);
  }
}

static void quantize_rows(size_t rows, size_t width, float *x) {
  for (size_t r = 0; r < rows; r++, x += width) {
    float top = fmaxf(fmaxf(greatest(width, 1, x), greatest(width, -1, x)), 1e-5f);
    float steps = 127 / top;
    LOOP(2)
    for (size_t i = 0; i < width; i++) x[i] = (x[i] * steps + ROUNDER - ROUNDER) / steps;
  }
}
