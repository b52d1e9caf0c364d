import CForge

/// Rows and columns of float32 in memory that a `Floats` owns, which it keeps alive.
@safe package struct Matrix {
  package let rows, columns: Int
  private let owner: Floats
  private let offset, rowStride, columnStride: Int

  /// A view of `owner`.
  ///
  /// - Parameters:
  ///   - owner: Where the numbers are; all of the matrix must be inside it.
  ///   - offset: Of its first number.
  ///   - rows: How many.
  ///   - columns: How many; one after another.
  ///   - stride: From a row to the next; `columns` when absent.
  package init(_ owner: Floats, at offset: Int = 0, _ rows: Int, _ columns: Int, stride: Int? = nil)
  {
    let rowStride = stride ?? columns
    let end = rows == 0 ? offset : offset + (rows - 1) * rowStride + columns
    precondition(
      offset >= 0 && rows >= 0 && columns >= 0 && end <= owner.count,
      "outside of its memory"
    )
    self.init(owner, offset, rows, columns, rowStride, 1)
  }

  private init(
    _ owner: Floats,
    _ offset: Int,
    _ rows: Int,
    _ columns: Int,
    _ rowStride: Int,
    _ columnStride: Int
  ) {
    self.owner = owner
    self.offset = offset
    self.rows = rows
    self.columns = columns
    self.rowStride = rowStride
    self.columnStride = columnStride
  }

  /// The same numbers with rows and columns exchanged.
  package var transposed: Matrix {
    Matrix(owner, offset, columns, rows, columnStride, rowStride)
  }

  /// Some of the rows.
  package subscript(_ range: Range<Int>) -> Matrix {
    precondition(range.lowerBound >= 0 && range.upperBound <= rows, "rows \(range) of \(rows)")
    return Matrix(
      owner,
      offset + range.lowerBound * rowStride,
      range.count,
      columns,
      rowStride,
      columnStride
    )
  }

  /// `self = beta * self + a · b`.
  ///
  /// - Parameters:
  ///   - a: `[rows, k]`.
  ///   - b: `[k, columns]`; neither overlaps this.
  ///   - beta: 0 sets, 1 adds.
  ///   - scratch: `forge_gemm_scratch()` floats that no other thread uses now.
  package func set(_ a: Matrix, times b: Matrix, beta: Float = 0, _ scratch: Floats) {
    precondition(a.rows == rows && b.columns == columns && a.columns == b.rows && columnStride == 1)
    withExtendedLifetime((owner, a.owner, b.owner, scratch)) {
      unsafe forge_gemm(
        rows,
        columns,
        a.columns,
        a.owner.start + a.offset,
        a.rowStride,
        a.columnStride,
        b.owner.start + b.offset,
        b.rowStride,
        b.columnStride,
        beta,
        owner.start + offset,
        rowStride,
        scratch.start
      )
    }
  }
}
