// Template, part 5: matrix multiplication as BLIS does it (Van Zee and Van de Geijn 2015). Blocks of `a` and `b` are
// copied into panels that a tile of ROWS x COLUMNS sums, held in registers, reads from front to back: a panel of `b`
// stays in the first-level cache, a block of `a` in the second.

enum {
  COLUMNS = 2 * WIDTH,
  DEPTH_BLOCK = 256,
  ROW_BLOCK = 192,
  COLUMN_BLOCK = 1024,
  A_FLOATS = ROW_BLOCK * DEPTH_BLOCK,
  B_FLOATS = DEPTH_BLOCK * COLUMN_BLOCK,
  // Room to begin both at a cache line.
  GEMM_SCRATCH = A_FLOATS + B_FLOATS + 16,
};
_Static_assert(ROW_BLOCK % ROWS == 0 && COLUMN_BLOCK % COLUMNS == 0, "blocks hold whole panels");

// c[rows, COLUMNS] = beta * c + a * b with all sums in registers; `rows` is a constant where this is inlined.
INLINED void tile(size_t rows, size_t k, const float *a, size_t a_row, size_t a_column, const float *b, size_t b_row,
                  float beta, float *c, size_t c_row) {
  vec sums[ROWS][2];
  UNROLLED
  for (size_t i = 0; i < rows; i++) sums[i][0] = sums[i][1] = (vec)0.0f;
  UNROLLED
  for (size_t i = 0; i < rows; i++) {
    __builtin_prefetch(c + i * c_row, 1);
    __builtin_prefetch(c + i * c_row + COLUMNS - 1, 1);
  }
  PRAGMA(clang loop unroll_count(4))
  for (size_t p = 0; p < k; p++, a += a_column, b += b_row) {
    vec b0 = load(b), b1 = load(b + WIDTH);
    UNROLLED
    for (size_t i = 0; i < rows; i++) {
      vec x = (vec)a[i * a_row];
      sums[i][0] = x * b0 + sums[i][0];
      sums[i][1] = x * b1 + sums[i][1];
    }
  }
  UNROLLED
  for (size_t i = 0; i < rows; i++, c += c_row) {
    if (beta == 0) {
      store(c, sums[i][0]);
      store(c + WIDTH, sums[i][1]);
    } else {
      store(c, beta * load(c) + sums[i][0]);
      store(c + WIDTH, beta * load(c + WIDTH) + sums[i][1]);
    }
  }
}

// A tile of packed panels: `tile` with each constant that `rows` can be.
static void packed_tile(size_t rows, size_t k, const float *a, const float *b, float beta, float *c, size_t c_row) {
#define PACKED(count)                                       \
  case count:                                               \
    tile(count, k, a, 1, ROWS, b, COLUMNS, beta, c, c_row); \
    return;
  switch (rows) {
    PACKED(1) PACKED(2) PACKED(3) PACKED(4) PACKED(5) PACKED(6)
#if ROWS == 12
    PACKED(7) PACKED(8) PACKED(9) PACKED(10) PACKED(11) PACKED(12)
#endif
  }
#undef PACKED
}

// The most rows that do not repay the packing of `b`.
enum { FEW_ROWS = 4 };

// A tile of at most FEW_ROWS rows of matrices as they lie in memory.
static void loose_tile(size_t rows, size_t k, const float *a, size_t a_row, size_t a_column, const float *b,
                       size_t b_row, float beta, float *c, size_t c_row) {
#define LOOSE(count)                                               \
  case count:                                                      \
    tile(count, k, a, a_row, a_column, b, b_row, beta, c, c_row);  \
    return;
  switch (rows) { LOOSE(1) LOOSE(2) LOOSE(3) LOOSE(4) }
#undef LOOSE
}

// A tile at the right edge, of which `columns` are inside `c`.
static void edge_tile(size_t rows, size_t columns, size_t k, const float *a, const float *b, float beta, float *c,
                      size_t c_row) {
  float whole[ROWS * COLUMNS];
  packed_tile(rows, k, a, b, 0, whole, COLUMNS);
  for (size_t i = 0; i < rows; i++, c += c_row)
    for (size_t j = 0; j < columns; j++) {
      float sum = whole[i * COLUMNS + j];
      c[j] = beta == 0 ? sum : beta * c[j] + sum;
    }
}

typedef float four __attribute__((ext_vector_type(4)));
typedef float loose_four __attribute__((ext_vector_type(4), aligned(4)));

// Copies a 4 x 4 block, exchanging rows and columns.
INLINED void transpose_block(const float *x, size_t x_row, float *y, size_t y_row) {
  four a = *(const loose_four *)x, b = *(const loose_four *)(x + x_row);
  four c = *(const loose_four *)(x + 2 * x_row), d = *(const loose_four *)(x + 3 * x_row);
  four ab = __builtin_shufflevector(a, b, 0, 4, 1, 5), cd = __builtin_shufflevector(c, d, 0, 4, 1, 5);
  *(loose_four *)y = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
  *(loose_four *)(y + y_row) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
  ab = __builtin_shufflevector(a, b, 2, 6, 3, 7);
  cd = __builtin_shufflevector(c, d, 2, 6, 3, 7);
  *(loose_four *)(y + 2 * y_row) = __builtin_shufflevector(ab, cd, 0, 1, 4, 5);
  *(loose_four *)(y + 3 * y_row) = __builtin_shufflevector(ab, cd, 2, 3, 6, 7);
}

// Copies x[k,n], of any strides, into panels of `width` columns, each [k,width], the last one filled up with zeros.
INLINED void pack(size_t k, size_t n, size_t width, const float *x, size_t x_row, size_t x_column, float *panel) {
  for (size_t start = 0; start < n; start += width, x += width * x_column, panel += k * width) {
    size_t inside = n - start < width ? n - start : width, p = 0;
    if (inside == width && x_column == 1) {
      for (; p < k; p++) memcpy(panel + p * width, x + p * x_row, width * sizeof *x);
    } else if (inside == width && x_row == 1) {
      for (; p + 4 <= k; p += 4) {
        size_t j = 0;
        for (; j + 4 <= width; j += 4)
          transpose_block(x + p + j * x_column, x_column, panel + p * width + j, width);
        for (; j < width; j++)
          for (size_t q = p; q < p + 4; q++) panel[q * width + j] = x[q + j * x_column];
      }
    }
    for (; p < k; p++)
      for (size_t j = 0; j < width; j++) panel[p * width + j] = j < inside ? x[p * x_row + j * x_column] : 0;
  }
}

static void pack_a(size_t m, size_t k, const float *a, size_t a_row, size_t a_column, float *panels) {
  pack(k, m, ROWS, a, a_column, a_row, panels);
}

static void pack_b(size_t k, size_t n, const float *b, size_t b_row, size_t b_column, float *panels) {
  pack(k, n, COLUMNS, b, b_row, b_column, panels);
}

INLINED size_t least(size_t a, size_t b) { return a < b ? a : b; }

// c = beta * c + a * b of packed blocks.
static void multiply_block(size_t m, size_t n, size_t k, const float *a, const float *b, float beta, float *c,
                           size_t c_row) {
  for (size_t j = 0; j < n; j += COLUMNS)
    for (size_t i = 0; i < m; i += ROWS) {
      size_t rows = least(m - i, ROWS), columns = n - j;
      const float *left = a + i * k, *right = b + j * k;
      float *to = c + i * c_row + j;
      if (columns >= COLUMNS)
        packed_tile(rows, k, left, right, beta, to, c_row);
      else
        edge_tile(rows, columns, k, left, right, beta, to, c_row);
    }
}

// gemm for few rows and a row-major `b`.
static void few_rows(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column, const float *b,
                     size_t b_row, float beta, float *c, size_t c_row) {
  size_t whole = n / COLUMNS * COLUMNS;
  for (size_t j = 0; j < whole; j += COLUMNS) loose_tile(m, k, a, a_row, a_column, b + j, b_row, beta, c + j, c_row);
  for (size_t i = 0; i < m; i++) {
    float sums[COLUMNS] = {0};
    for (size_t p = 0; p < k; p++)
      for (size_t j = whole; j < n; j++) sums[j - whole] += a[i * a_row + p * a_column] * b[p * b_row + j];
    for (size_t j = whole; j < n; j++) {
      float *to = c + i * c_row + j;
      *to = beta == 0 ? sums[j - whole] : beta * *to + sums[j - whole];
    }
  }
}

// gemm for few rows of a row-major `a` and a `b` whose columns are contiguous, each `b_column` after the last.
static void few_rows_by_columns(size_t m, size_t n, size_t k, const float *a, size_t a_row, const float *b,
                                size_t b_column, float beta, float *c, size_t c_row) {
  for (size_t i = 0; i < m; i++) dots(n, k, b, b_column, a + i * a_row, beta, c + i * c_row);
}

static void gemm(size_t m, size_t n, size_t k, const float *a, size_t a_row, size_t a_column, const float *b,
                 size_t b_row, size_t b_column, float beta, float *c, size_t c_row, float *scratch) {
  if (k == 0) {
    for (size_t i = 0; i < m; i++)
      for (size_t j = 0; j < n; j++) c[i * c_row + j] = beta == 0 ? 0 : beta * c[i * c_row + j];
    return;
  }
  if (m <= FEW_ROWS && b_column == 1) {
    few_rows(m, n, k, a, a_row, a_column, b, b_row, beta, c, c_row);
    return;
  }
  if (m <= FEW_ROWS && b_row == 1 && a_column == 1) {
    few_rows_by_columns(m, n, k, a, a_row, b, b_column, beta, c, c_row);
    return;
  }
  float *packed_a = (float *)(((uintptr_t)scratch + 63) & ~(uintptr_t)63), *packed_b = packed_a + A_FLOATS;
  for (size_t j = 0; j < n; j += COLUMN_BLOCK) {
    size_t columns = least(n - j, COLUMN_BLOCK);
    for (size_t p = 0; p < k; p += DEPTH_BLOCK) {
      size_t depth = least(k - p, DEPTH_BLOCK);
      float before = p == 0 ? beta : 1;
      pack_b(depth, columns, b + p * b_row + j * b_column, b_row, b_column, packed_b);
      for (size_t i = 0; i < m; i += ROW_BLOCK) {
        size_t rows = least(m - i, ROW_BLOCK);
        pack_a(rows, depth, a + i * a_row + p * a_column, a_row, a_column, packed_a);
        multiply_block(rows, columns, depth, packed_a, packed_b, before, c + i * c_row + j, c_row);
      }
    }
  }
}
