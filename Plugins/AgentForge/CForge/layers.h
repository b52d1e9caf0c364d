// Template, part 3: normalisation, the feed-forward gate and rotary positions.

static void rms_norm(size_t rows, size_t width, const float *x, const float *weight, float epsilon, float *y,
                     float *inverse) {
  for (size_t r = 0; r < rows; r++, x += width, y += width) {
    float factor = 1 / sqrtf(dot(width, x, x) / width + epsilon);
    inverse[r] = factor;
    LOOP(2)
    for (size_t i = 0; i < width; i++) y[i] = x[i] * factor * weight[i];
  }
}

static void rms_norm_back(size_t rows, size_t width, const float *x, const float *weight, const float *inverse,
                          const float *dy, float *dx, float *dweight) {
#pragma clang fp reassociate(on)
  for (size_t r = 0; r < rows; r++, x += width, dy += width, dx += width) {
    float factor = inverse[r], inner = 0;
    LOOP(4)
    for (size_t i = 0; i < width; i++) inner += dy[i] * weight[i] * x[i];
    float share = inner * factor * factor * factor / width;
    LOOP(2)
    for (size_t i = 0; i < width; i++) {
      float scaled = dy[i] * factor;
      dx[i] += scaled * weight[i] - x[i] * share;
      dweight[i] += scaled * x[i];
    }
  }
}

static void swiglu(size_t n, const float *gate, const float *up, float *y) {
  LOOP(2)
  for (size_t i = 0; i < n; i++) y[i] = gate[i] / (1 + exponential(-gate[i])) * up[i];
}

static void swiglu_back(size_t n, const float *gate, const float *up, const float *dy, float *dgate, float *dup) {
  LOOP(2)
  for (size_t i = 0; i < n; i++) {
    float g = gate[i], u = up[i], d = dy[i], s = 1 / (1 + exponential(-g));
    dgate[i] = d * u * s * (1 + g * (1 - s));
    dup[i] = d * g * s;
  }
}

static void rope(size_t rows, size_t heads, size_t head_width, float *x, size_t stride, const float *cosine,
                 const float *sine, float direction) {
  size_t half = head_width / 2;
  for (size_t r = 0; r < rows; r++, x += stride, cosine += half, sine += half)
    for (size_t h = 0; h < heads; h++) {
      float *first = x + h * head_width, *second = first + half;
      LOOP(1)
      for (size_t i = 0; i < half; i++) {
        float c = cosine[i], s = sine[i] * direction, a = first[i], b = second[i];
        first[i] = a * c - b * s;
        second[i] = b * c + a * s;
      }
    }
}
