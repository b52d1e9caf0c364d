import CForge
import Testing

@testable import AgentForge

/// The kernels of one instruction set that this processor has, or the functions that pass on to the best.
struct KernelLevel: CustomTestStringConvertible {
  let testDescription: String
  let kernels: forge_kernels

  /// All that can run here.
  static var all: [KernelLevel] {
    let levels = (0...forge_best_level()).map {
      KernelLevel(testDescription: "level \($0)", kernels: forge_kernels_of($0).pointee)
    }
    return levels + [KernelLevel(testDescription: "in use", kernels: inUse)]
  }

  private static var inUse: forge_kernels {
    forge_kernels(
      gemm_scratch: forge_gemm_scratch(),
      gemm: forge_gemm,
      gemv: forge_gemv,
      dot: forge_dot,
      axpy: forge_axpy,
      scale: forge_scale,
      sum_squares: forge_sum_squares,
      all_finite: forge_all_finite,
      ema: forge_ema,
      rms_norm: forge_rms_norm,
      rms_norm_back: forge_rms_norm_back,
      swiglu: forge_swiglu,
      swiglu_back: forge_swiglu_back,
      rope: forge_rope,
      causal_softmax: forge_causal_softmax,
      causal_softmax_again: forge_causal_softmax_again,
      softmax_back: forge_softmax_back,
      softmax: forge_softmax,
      cross_entropy: forge_cross_entropy,
      cross_entropy_only: forge_cross_entropy_only,
      adamw_step: forge_adamw_step,
      quantize_rows: forge_quantize_rows
    )
  }
}

/// `count` normal random numbers.
func randomFloats(_ count: Int, seed: UInt64) -> [Float] {
  var generator = Generator(seed: seed)
  return (0..<count).map { _ in Float(generator.normal()) }
}

@Suite("Matrix multiplication")
struct GemmTests {
  /// Where the elements of a matrix lie: element (i, j) at `i * row + j * column`.
  struct Layout {
    let row: Int
    let column: Int

    /// Row-major with a gap, transposed with a gap, and every second element.
    static func all(rows: Int, columns: Int) -> [Layout] {
      [
        Layout(row: columns + 2, column: 1), Layout(row: 1, column: rows + 3),
        Layout(row: 2 * columns + 1, column: 2),
      ]
    }

    func spread(_ values: [Float], rows: Int, columns: Int) -> [Float] {
      var memory = [Float](repeating: .nan, count: max(1, rows * row + columns * column))
      for i in 0..<rows {
        for j in 0..<columns { memory[i * row + j * column] = values[i * columns + j] }
      }
      return memory
    }
  }

  /// A product of random matrices, in double precision.
  struct Product {
    let m: Int
    let n: Int
    let k: Int
    let a: [Float]
    let b: [Float]
    let sums: [Double]

    init(_ m: Int, _ n: Int, _ k: Int) {
      (self.m, self.n, self.k) = (m, n, k)
      let a = randomFloats(m * k, seed: UInt64(m + 1000 * k))
      let b = randomFloats(k * n, seed: UInt64(n + 1000 * k + 1))
      var sums = [Double](repeating: 0, count: m * n)
      a.withUnsafeBufferPointer { a in
        b.withUnsafeBufferPointer { b in
          sums.withUnsafeMutableBufferPointer { sums in
            for i in 0..<m {
              for p in 0..<k {
                let x = Double(a[i * k + p])
                for j in 0..<n { sums[i * n + j] += x * Double(b[p * n + j]) }
              }
            }
          }
        }
      }
      (self.a, self.b, self.sums) = (a, b, sums)
    }

    /// The largest error of a kernel's result, or infinity when it writes beside `c`.
    func error(
      _ level: KernelLevel,
      a left: Layout,
      b right: Layout,
      beta: Float,
      scratch: inout [Float]
    ) -> Double {
      let gap = 3
      let before: Float = beta == 0 ? .nan : 0.25
      var c = [Float](repeating: before, count: m * (n + gap) + 1)
      level.kernels.gemm(
        m,
        n,
        k,
        left.spread(a, rows: m, columns: k),
        left.row,
        left.column,
        right.spread(b, rows: k, columns: n),
        right.row,
        right.column,
        beta,
        &c,
        n + gap,
        &scratch
      )
      var worst = 0.0
      let start = beta == 0 ? 0 : Double(beta * before)
      c.withUnsafeBufferPointer { c in
        for i in 0..<m {
          for j in 0..<n {
            let error = abs(Double(c[i * (n + gap) + j]) - start - sums[i * n + j])
            worst = error <= worst ? worst : error.isNaN ? .infinity : error
          }
          for j in n..<n + gap where c[i * (n + gap) + j].bitPattern != before.bitPattern {
            worst = .infinity
          }
        }
        if c[m * (n + gap)].bitPattern != before.bitPattern { worst = .infinity }
      }
      return worst
    }
  }

  static func check(_ product: Product, _ level: KernelLevel) {
    let limit = 1e-6 * Double(product.k + 4).squareRoot() * 4
    var scratch = [Float](repeating: .nan, count: level.kernels.gemm_scratch)
    for left in Layout.all(rows: product.m, columns: product.k) {
      for right in Layout.all(rows: product.k, columns: product.n) {
        for beta: Float in [0, 1, 0.5] {
          let error = product.error(level, a: left, b: right, beta: beta, scratch: &scratch)
          #expect(error <= limit, "\(product.m)x\(product.n)x\(product.k) \(left) \(right) \(beta)")
        }
      }
    }
  }

  @Test("small products are right in every layout", arguments: KernelLevel.all)
  func smallProductsAreRightInEveryLayout(_ level: KernelLevel) {
    for m in [0, 1, 2, 5] {
      for n in [0, 1, 7, 18] {
        for k in [0, 1, 2, 9] { Self.check(Product(m, n, k), level) }
      }
    }
  }

  @Test(
    "products just at, below and above the edges of tiles are right",
    arguments: KernelLevel.all,
    [
      [4, 16, 8], [5, 15, 7], [6, 17, 5], [7, 31, 4], [11, 32, 3], [12, 33, 8], [13, 8, 16],
      [4, 65, 12], [25, 9, 3], [3, 34, 9],
    ]
  )
  func productsAtTheEdgesOfTilesAreRight(_ level: KernelLevel, _ size: [Int]) {
    Self.check(Product(size[0], size[1], size[2]), level)
  }

  @Test(
    "products of more than one cache block are right",
    arguments: KernelLevel.all,
    [[7, 17, 257], [6, 16, 256], [2, 5, 1030], [193, 3, 5], [5, 1025, 3], [385, 2, 2]]
  )
  func productsOfMoreThanOneBlockAreRight(_ level: KernelLevel, _ size: [Int]) {
    let product = Product(size[0], size[1], size[2])
    let limit = 1e-6 * Double(product.k + 4).squareRoot() * 4
    let left = Layout.all(rows: product.m, columns: product.k)
    let right = Layout.all(rows: product.k, columns: product.n)
    var scratch = [Float](repeating: .nan, count: level.kernels.gemm_scratch)
    for (index, beta) in [Float(0), 1, 0.5].enumerated() {
      let error = product.error(
        level,
        a: left[index % 2],
        b: right[(index + 1) % 2],
        beta: beta,
        scratch: &scratch
      )
      #expect(error <= limit, "beta \(beta)")
    }
  }

  @Test("a number that is none spoils its row and no other", arguments: KernelLevel.all)
  func aNumberThatIsNoneSpoilsItsRow(_ level: KernelLevel) {
    for (m, n, k) in [(3, 20, 5), (9, 20, 5), (14, 40, 300)] {
      for bad in [Float.nan, .infinity] {
        var a = [Float](repeating: 1, count: m * k)
        a[k + k - 1] = bad
        let b = [Float](repeating: 1, count: k * n)
        var c = [Float](repeating: 0, count: m * n)
        var scratch = [Float](repeating: 0, count: level.kernels.gemm_scratch)
        level.kernels.gemm(m, n, k, a, k, 1, b, n, 1, 0, &c, n, &scratch)
        for (index, value) in c.enumerated() {
          #expect(value.isFinite == (index / n != 1))
          if index / n != 1 { #expect(value == Float(k)) }
        }
      }
    }
  }

  @Test("the same product gives the same bits", arguments: KernelLevel.all)
  func theSameProductGivesTheSameBits(_ level: KernelLevel) {
    let (m, n, k) = (20, 37, 70)
    let a = randomFloats(m * k, seed: 1)
    let b = randomFloats(k * n, seed: 2)
    let results = (0..<3).map { shift in
      var c = [Float](repeating: 0, count: m * n)
      // Another alignment of the scratch must not matter.
      var scratch = [Float](repeating: 0, count: level.kernels.gemm_scratch + shift)
      scratch.withUnsafeMutableBufferPointer {
        level.kernels.gemm(m, n, k, a, k, 1, b, 1, k, 0, &c, n, $0.baseAddress! + shift)
      }
      return c
    }
    #expect(results[0] == results[1])
    #expect(results[0] == results[2])
  }

  @Test("a matrix times a vector is right for every length", arguments: KernelLevel.all)
  func aMatrixTimesAVectorIsRight(_ level: KernelLevel) {
    for n in [0, 1, 3, 4, 5, 9] {
      for k in [0, 1, 7, 8, 16, 33, 70] {
        let product = Product(n, 1, k)
        var y = [Float](repeating: .nan, count: n + 1)
        level.kernels.gemv(n, k, product.a, product.b, &y)
        for i in 0..<n { #expect(abs(Double(y[i]) - product.sums[i]) < 1e-5) }
        #expect(y[n].isNaN)
      }
    }
  }
}
