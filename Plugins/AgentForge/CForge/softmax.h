// Template, part 4: softmax and cross-entropy. The greatest element is taken off before the exponential, so nothing
// overflows; NaN anywhere in a row makes its sum, and so its result and its loss, NaN.

// x = exp(scale * x - top); gives the sum.
INLINED float exponentials(size_t n, float scale, float top, float *x) {
#pragma clang fp reassociate(on)
  float sum = 0;
  LOOP(2)
  for (size_t i = 0; i < n; i++) {
    x[i] = exponential(x[i] * scale - top);
    sum += x[i];
  }
  return sum;
}

// The columns that row r sees.
INLINED size_t seen(size_t r, size_t first, size_t columns) {
  return first + r < columns ? first + r + 1 : columns;
}

// Sets the columns after the first `count` to -infinity, so that whole vectors can be worked on; gives how many.
INLINED size_t pad(size_t count, size_t columns, float *x) {
  size_t padded = (count + 2 * WIDTH - 1) / (2 * WIDTH) * (2 * WIDTH);
  if (padded > columns) padded = columns;
  for (size_t i = count; i < padded; i++) x[i] = -INFINITY;
  return padded;
}

static void causal_softmax(size_t rows, size_t columns, size_t first, float factor, float *s, size_t stride,
                           float *log_sum) {
  for (size_t r = 0; r < rows; r++, s += stride) {
    size_t count = seen(r, first, columns), padded = pad(count, columns, s);
    float top = greatest(padded, factor, s);
    float sum = exponentials(padded, factor, top, s);
    scale(padded, 1 / sum, s);
    memset(s + count, 0, (columns - count) * sizeof *s);
    log_sum[r] = top + logf(sum);
  }
}

static void causal_softmax_again(size_t rows, size_t columns, size_t first, float factor, float *s, size_t stride,
                                 const float *log_sum) {
  for (size_t r = 0; r < rows; r++, s += stride) {
    size_t count = seen(r, first, columns);
    exponentials(pad(count, columns, s), factor, log_sum[r], s);
    memset(s + count, 0, (columns - count) * sizeof *s);
  }
}

static void softmax_back(size_t rows, size_t columns, float factor, const float *p, float *dp, size_t stride,
                         const float *inner) {
  for (size_t r = 0; r < rows; r++, p += stride, dp += stride) {
    float mean = inner[r];
    LOOP(2)
    for (size_t i = 0; i < columns; i++) dp[i] = factor * p[i] * (dp[i] - mean);
  }
}

static void softmax(size_t n, float factor, float *x) {
  float sum = exponentials(n, factor, greatest(n, factor, x), x);
  scale(n, 1 / sum, x);
}

static void cross_entropy(size_t rows, size_t classes, float *logits, const int32_t *targets, const float *weights,
                          float *losses) {
  for (size_t r = 0; r < rows; r++, logits += classes) {
    losses[r] = 0;
    if (targets[r] < 0) {
      memset(logits, 0, classes * sizeof *logits);
      continue;
    }
    float top = greatest(classes, 1, logits), target = logits[targets[r]];
    float sum = exponentials(classes, 1, top, logits);
    losses[r] = logf(sum) - (target - top);
    scale(classes, weights[r] / sum, logits);
    logits[targets[r]] -= weights[r];
  }
}

static void cross_entropy_only(size_t rows, size_t classes, const float *logits, const int32_t *targets,
                               float *losses) {
#pragma clang fp reassociate(on)
  for (size_t r = 0; r < rows; r++, logits += classes) {
    losses[r] = 0;
    if (targets[r] < 0) continue;
    float top = greatest(classes, 1, logits), sum = 0;
    LOOP(2)
    for (size_t i = 0; i < classes; i++) sum += exponential(logits[i] - top);
    losses[r] = logf(sum) - (logits[targets[r]] - top);
  }
}
