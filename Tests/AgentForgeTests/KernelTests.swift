import CForge
import Testing

@testable import AgentForge

/// Lengths around the widths of vector registers and of unrolled loops.
let kernelLengths = [0, 1, 2, 3, 4, 5, 7, 8, 9, 15, 16, 17, 31, 33, 63, 64, 65, 100, 131]

/// Whether each of `got` is within `tolerance` of its expectation, relative to the larger of that and 1; NaN only
/// where NaN is expected.
func near(_ got: [Float], _ expected: [Double], _ tolerance: Double = 1e-5) -> Bool {
  guard got.count == expected.count else { return false }
  return zip(got, expected).allSatisfy { got, expected in
    if expected.isNaN || got.isNaN { return expected.isNaN && got.isNaN }
    return abs(Double(got) - expected) <= tolerance * max(1, abs(expected))
  }
}

func doubles(_ values: [Float]) -> [Double] { values.map { Double($0) } }

@Suite("Kernels over vectors")
struct VectorKernelTests {
  @Test("sums over vectors are right for every length", arguments: KernelLevel.all)
  func sumsAreRight(_ level: KernelLevel) {
    for n in kernelLengths {
      let x = randomFloats(n, seed: UInt64(n))
      let y = randomFloats(n, seed: UInt64(n + 1))
      let dot = zip(x, y).reduce(0.0) { $0 + Double($1.0) * Double($1.1) }
      #expect(abs(Double(level.kernels.dot(n, x, y)) - dot) < 1e-5 * Double(n + 1))
      let squares = doubles(x).reduce(0) { $0 + $1 * $1 }
      #expect(abs(level.kernels.sum_squares(n, x) - squares) < 1e-13 * Double(n + 1))
    }
  }

  @Test("a sum in double precision keeps what float would lose", arguments: KernelLevel.all)
  func aSumInDoublePrecisionKeepsSmallTerms(_ level: KernelLevel) {
    var x = [Float](repeating: 1, count: 1001)
    x[500] = 1e6
    #expect(level.kernels.sum_squares(1001, x) == 1_000_000_001_000)
  }

  @Test("a vector is added, scaled and averaged right for every length", arguments: KernelLevel.all)
  func vectorsAreChangedRight(_ level: KernelLevel) {
    for n in kernelLengths {
      let x = randomFloats(n, seed: UInt64(n)) + [.nan]
      let y = randomFloats(n, seed: UInt64(n + 1)) + [7]
      var added = y
      level.kernels.axpy(n, 0.3, x, &added)
      #expect(near(added, zip(x, y).dropLast().map { Double($1) + 0.3 * Double($0) } + [7]))
      var scaled = y
      level.kernels.scale(n, 0.3, &scaled)
      #expect(near(scaled, y.dropLast().map { 0.3 * Double($0) } + [7]))
      var average = y
      level.kernels.ema(n, 0.9, x, &average)
      #expect(near(average, zip(x, y).dropLast().map { 0.9 * Double($1) + 0.1 * Double($0) } + [7]))
    }
  }

  @Test("one infinity or NaN is found wherever it stands", arguments: KernelLevel.all)
  func oneInfinityOrNaNIsFound(_ level: KernelLevel) {
    for bad in [Float.nan, -.nan, .infinity, -.infinity, .signalingNaN] {
      for n in [1, 2, 9, 40, 70] {
        for position in 0..<n {
          var x = [Float](repeating: .greatestFiniteMagnitude, count: n)
          #expect(level.kernels.all_finite(n, x) == 1)
          x[position] = bad
          #expect(level.kernels.all_finite(n, x) == 0)
          #expect(level.kernels.all_finite(position, x) == 1)
        }
      }
      for position in [0, 4095, 4096, 8191, 8192, 8199] {
        var x = [Float](repeating: -.greatestFiniteMagnitude, count: 8200)
        x[position] = bad
        #expect(level.kernels.all_finite(8200, x) == 0)
      }
    }
  }

  @Test("a step of AdamW is the textbook's", arguments: KernelLevel.all)
  func aStepOfAdamWIsTheTextbooks(_ level: KernelLevel) {
    for n in [0, 1, 7, 8, 9, 33] {
      let p = randomFloats(n, seed: 1)
      let g = randomFloats(n, seed: 2)
      let m = randomFloats(n, seed: 3)
      let v = randomFloats(n, seed: 4).map { $0 * $0 }
      var step = forge_adamw(
        rate: 0.01,
        beta1: 0.9,
        beta2: 0.95,
        epsilon: 1e-8,
        decay: 0.1,
        correction1: 0.271,
        correction2: 0.142625,
        gradient_scale: 0.5
      )
      var (newP, newM, newV) = (p, m, v)
      level.kernels.adamw_step(n, &newP, g, &newM, &newV, &step)
      let gradient = g.map { 0.5 * Double($0) }
      let mean = (0..<n).map { i -> Double in 0.9 * Double(m[i]) + 0.1 * gradient[i] }
      let square = (0..<n).map { i -> Double in
        0.95 * Double(v[i]) + 0.05 * gradient[i] * gradient[i]
      }
      let expected = (0..<n).map { i -> Double in
        let update: Double = mean[i] / 0.271 / ((square[i] / 0.142625).squareRoot() + 1e-8)
        return Double(p[i]) - 0.01 * (update + 0.1 * Double(p[i]))
      }
      #expect(near(newM, mean, 1e-6) && near(newV, square, 1e-6) && near(newP, expected, 1e-6))
    }
  }

  @Test("each row is rounded to the 127 steps of its largest magnitude", arguments: KernelLevel.all)
  func rowsAreRoundedToTheirGrid(_ level: KernelLevel) {
    for width in [1, 5, 8, 21, 40] {
      let x = randomFloats(3 * width, seed: UInt64(width))
      var rounded = x
      level.kernels.quantize_rows(3, width, &rounded)
      for r in 0..<3 {
        let row = doubles(Array(x[r * width..<(r + 1) * width]))
        let steps = 127 / row.map { abs($0) }.max()!
        let got = rounded[r * width..<(r + 1) * width]
        for (value, original) in zip(doubles(Array(got)), row) {
          #expect(abs(value * steps - (value * steps).rounded()) < 1e-3)
          #expect(abs(value - original) <= 0.5001 / steps)
        }
      }
    }
    var special: [Float] = [0, 0, .nan, 127, 0.5, 1.5]
    level.kernels.quantize_rows(3, 2, &special)
    #expect(special[0] == 0 && special[1] == 0)
    #expect(special[2].isNaN && special[3] == 127)
    #expect(abs(special[5] - 1.5) < 1e-6)
    var ties: [Float] = [127, 0.5, 1.5, 2.5, -0.5, -1.5]
    level.kernels.quantize_rows(1, 6, &ties)
    #expect(ties == [127, 0, 2, 2, 0, -2])
  }

  @Test("the same sum gives the same bits wherever its vectors lie", arguments: KernelLevel.all)
  func theSameSumGivesTheSameBits(_ level: KernelLevel) {
    let x = randomFloats(203, seed: 5)
    let results = (0..<9).map { shift in
      let moved = [Float](repeating: 0, count: shift) + x
      return moved.withUnsafeBufferPointer {
        level.kernels.dot(203, $0.baseAddress! + shift, $0.baseAddress! + shift)
      }
    }
    #expect(Set(results.map { $0.bitPattern }).count == 1)
  }
}
