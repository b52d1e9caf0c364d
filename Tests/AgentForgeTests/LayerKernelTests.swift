import CForge
import Glibc
import Testing

@testable import AgentForge

private func sigmoid(_ x: Double) -> Double { 1 / (1 + exp(-x)) }

/// Softmax of `scale * row` and the logarithm of its sum, in double precision.
private func softmax(_ row: [Float], scale: Double = 1) -> (shares: [Double], logSum: Double) {
  let scaled = row.map { Double($0) * scale }
  let top = scaled.max() ?? 0
  let sum = scaled.reduce(0) { $0 + exp($1 - top) }
  return (scaled.map { exp($0 - top) / sum }, top + log(sum))
}

@Suite("Kernels of layers")
struct LayerKernelTests {
  @Test("RMSNorm and its gradient are the formula's", arguments: KernelLevel.all)
  func rmsNormIsTheFormulas(_ level: KernelLevel) {
    for width in kernelLengths where width > 0 {
      let rows = 2
      let x = randomFloats(rows * width, seed: UInt64(width))
      let weight = randomFloats(width, seed: 8)
      let dy = randomFloats(rows * width, seed: 9)
      var y = [Float](repeating: .nan, count: rows * width)
      var inverse = [Float](repeating: .nan, count: rows)
      level.kernels.rms_norm(rows, width, x, weight, 1e-5, &y, &inverse)
      var dx = [Float](repeating: 1, count: rows * width)
      var dweight = [Float](repeating: 2, count: width)
      level.kernels.rms_norm_back(rows, width, x, weight, inverse, dy, &dx, &dweight)

      var expectedInverse: [Double] = []
      var expectedY: [Double] = []
      var expectedX: [Double] = []
      var expectedWeight = [Double](repeating: 2, count: width)
      for r in 0..<rows {
        let row = doubles(Array(x[r * width..<(r + 1) * width]))
        let factor = 1 / (row.reduce(0) { $0 + $1 * $1 } / Double(width) + 1e-5).squareRoot()
        expectedInverse.append(factor)
        let gradient = (0..<width).map { Double(dy[r * width + $0]) * Double(weight[$0]) }
        let inner = zip(gradient, row).reduce(0) { $0 + $1.0 * $1.1 }
        for i in 0..<width {
          expectedY.append(row[i] * factor * Double(weight[i]))
          expectedX.append(
            1 + factor * gradient[i] - row[i] * inner * factor * factor * factor / Double(width)
          )
          expectedWeight[i] += Double(dy[r * width + i]) * row[i] * factor
        }
      }
      // A row of one element near zero divides by a small root.
      let tolerance = 2e-5 * max(1, expectedInverse.max()!)
      #expect(near(inverse, expectedInverse) && near(y, expectedY))
      #expect(near(dx, expectedX, tolerance) && near(dweight, expectedWeight))
    }
  }

  @Test("SwiGLU and its gradient are the formula's, also in place", arguments: KernelLevel.all)
  func swigluIsTheFormulas(_ level: KernelLevel) {
    for n in kernelLengths {
      let gate = randomFloats(n, seed: UInt64(n)).map { $0 * 4 }
      let up = randomFloats(n, seed: UInt64(n + 1))
      let dy = randomFloats(n, seed: UInt64(n + 2))
      var y = [Float](repeating: .nan, count: n)
      level.kernels.swiglu(n, gate, up, &y)
      #expect(
        near(y, (0..<n).map { Double(gate[$0]) * sigmoid(Double(gate[$0])) * Double(up[$0]) })
      )
      var (dgate, dup) = (gate, up)
      dgate.withUnsafeMutableBufferPointer { dgate in
        dup.withUnsafeMutableBufferPointer { dup in
          guard let first = dgate.baseAddress, let second = dup.baseAddress else { return }
          level.kernels.swiglu_back(n, first, second, dy, first, second)
        }
      }
      let expected = (0..<n).map { i in
        let (g, u, d, s) = (Double(gate[i]), Double(up[i]), Double(dy[i]), sigmoid(Double(gate[i])))
        return (d * u * s * (1 + g * (1 - s)), d * g * s)
      }
      #expect(near(dgate, expected.map { $0.0 }) && near(dup, expected.map { $0.1 }))
    }
  }

  @Test("SwiGLU neither overflows nor hides what is no number", arguments: KernelLevel.all)
  func swigluNeitherOverflowsNorHides(_ level: KernelLevel) {
    // The same in a whole vector and in the rest after it.
    for n in [5, 64] {
      let pattern: [Float] = [200, -200, .nan, 0, 1e30]
      let gate = (0..<n).map { pattern[$0 % 5] }
      let ones = [Float](repeating: 1, count: n)
      var y = ones
      level.kernels.swiglu(n, gate, ones, &y)
      let expected: [Double] = [200, 0, .nan, 0, 1e30]
      #expect(near(y, (0..<n).map { expected[$0 % 5] }))
      var (dgate, dup) = (ones, ones)
      level.kernels.swiglu_back(n, gate, ones, ones, &dgate, &dup)
      let slopes: [Double] = [1, 0, .nan, 0.5, 1]
      #expect(near(dgate, (0..<n).map { slopes[$0 % 5] }))
      #expect(near(dup, (0..<n).map { expected[$0 % 5] }))
    }
  }

  @Test("rotary positions turn each pair, and turn back", arguments: KernelLevel.all)
  func rotaryPositionsTurnEachPair(_ level: KernelLevel) {
    for headWidth in [2, 6, 16, 18, 64] {
      let (rows, heads, half) = (3, 2, headWidth / 2)
      let stride = heads * headWidth + 5
      let x = randomFloats(rows * stride, seed: UInt64(headWidth))
      let angles = randomFloats(rows * half, seed: 4)
      let (cosine, sine) = (angles.map { cos($0) }, angles.map { sin($0) })
      var turned = x
      level.kernels.rope(rows, heads, headWidth, &turned, stride, cosine, sine, 1)
      var expected = doubles(x)
      for r in 0..<rows {
        for h in 0..<heads {
          for i in 0..<half {
            let first = r * stride + h * headWidth + i
            let (a, b, angle) = (
              Double(x[first]), Double(x[first + half]), Double(angles[r * half + i])
            )
            expected[first] = a * cos(angle) - b * sin(angle)
            expected[first + half] = b * cos(angle) + a * sin(angle)
          }
        }
      }
      #expect(near(turned, expected))
      level.kernels.rope(rows, heads, headWidth, &turned, stride, cosine, sine, -1)
      #expect(near(turned, doubles(x)))
    }
  }
}

@Suite("Kernels of softmax and cross-entropy")
struct SoftmaxKernelTests {
  @Test("softmax is right for every length", arguments: KernelLevel.all)
  func softmaxIsRight(_ level: KernelLevel) {
    for n in kernelLengths {
      let x = randomFloats(n, seed: UInt64(n)).map { $0 * 10 }
      var shares = x
      level.kernels.softmax(n, 0.7, &shares)
      #expect(near(shares, softmax(x, scale: Double(Float(0.7))).shares, 2e-6))
    }
  }

  @Test("the exponential is right to two units in the last place", arguments: KernelLevel.all)
  func theExponentialIsRight(_ level: KernelLevel) {
    // With log_sum 0 the row becomes its exponentials.
    let x =
      (0..<2000).map { Float($0) * -0.04345 } + [0, -0.0, -87.5, -1000, -.infinity, 88.7, .nan]
    var got = x
    var zero: Float = 0
    level.kernels.causal_softmax_again(1, x.count, x.count, 1, &got, x.count, &zero)
    for (value, argument) in zip(got, x).prefix(2000) {
      let exact = exp(Double(argument))
      #expect(abs(Double(value) - exact) <= 2 * Double(Float(exact).ulp), "e^\(argument)")
    }
    #expect(got[2000...2004] == [1, 1, 0, 0, 0])
    #expect(abs(Double(got[2005]) / exp(Double(Float(88.7))) - 1) < 1e-6)
    #expect(got[2006].isNaN)
  }

  @Test("softmax leaves out what is -infinity and does not hide NaN", arguments: KernelLevel.all)
  func softmaxTreatsSpecialNumbers(_ level: KernelLevel) {
    for n in [3, 8, 40, 41] {
      var masked = [Float](repeating: 5, count: n)
      masked[0] = -.infinity
      masked[n - 1] = -1e30
      level.kernels.softmax(n, 1, &masked)
      let share = 1 / Double(n - 2)
      #expect(near(masked, (0..<n).map { $0 == 0 || $0 == n - 1 ? 0 : share }))
      for bad in [Float.nan, .infinity] {
        for position in 0..<n {
          var x = [Float](repeating: 0, count: n)
          x[position] = bad
          level.kernels.softmax(n, 1, &x)
          #expect(x[position].isNaN)
        }
      }
    }
  }

  @Test("causal softmax sees the columns up to its own and no more", arguments: KernelLevel.all)
  func causalSoftmaxSeesUpToItsOwnColumn(_ level: KernelLevel) {
    for (rows, columns, first) in [
      (1, 1, 0), (5, 5, 0), (40, 40, 0), (3, 70, 30), (4, 20, 18), (9, 8, 0),
    ] {
      let stride = columns + 3
      var x = randomFloats(rows * stride, seed: UInt64(columns)).map { $0 * 3 }
      // What lies after the diagonal must not matter.
      for r in 0..<rows {
        for i in min(columns, first + r + 1)..<columns { x[r * stride + i] = .nan }
      }
      var shares = x
      var logSums = [Float](repeating: .nan, count: rows)
      level.kernels.causal_softmax(rows, columns, first, 0.25, &shares, stride, &logSums)
      var again = x
      level.kernels.causal_softmax_again(rows, columns, first, 0.25, &again, stride, logSums)
      for r in 0..<rows {
        let count = min(columns, first + r + 1)
        let expected = softmax(Array(x[r * stride..<r * stride + count]), scale: 0.25)
        let padded = expected.shares + [Double](repeating: 0, count: columns - count)
        #expect(near(Array(shares[r * stride..<r * stride + columns]), padded, 1e-6))
        #expect(near(Array(again[r * stride..<r * stride + columns]), padded, 1e-6))
        #expect(abs(Double(logSums[r]) - expected.logSum) < 1e-5)
        #expect(
          shares[r * stride + columns..<(r + 1) * stride]
            == x[r * stride + columns..<(r + 1) * stride]
        )
      }
    }
  }

  @Test("the gradient of softmax is the formula's", arguments: KernelLevel.all)
  func theGradientOfSoftmaxIsTheFormulas(_ level: KernelLevel) {
    for columns in [1, 7, 16, 45] {
      let (rows, stride) = (3, columns + 2)
      let p = randomFloats(rows * stride, seed: 1)
      let before = randomFloats(rows * stride, seed: 2)
      let inner = randomFloats(rows, seed: 3)
      var dp = before
      level.kernels.softmax_back(rows, columns, 0.5, p, &dp, stride, inner)
      var expected = doubles(before)
      for r in 0..<rows {
        for i in r * stride..<r * stride + columns {
          expected[i] = 0.5 * Double(p[i]) * (expected[i] - Double(inner[r]))
        }
      }
      #expect(near(dp, expected))
    }
  }

  @Test(
    "cross-entropy and its gradient are right; a row without target counts for nothing",
    arguments: KernelLevel.all
  )
  func crossEntropyIsRight(_ level: KernelLevel) {
    for classes in [1, 2, 9, 16, 35, 272] {
      let logits = randomFloats(4 * classes, seed: UInt64(classes)).map { $0 * 6 }
      let targets = [0, Int32(classes - 1), -1, Int32(classes / 2)]
      let weights: [Float] = [0.25, 1, 3, 0]
      var gradient = logits
      var losses = [Float](repeating: .nan, count: 4)
      level.kernels.cross_entropy(4, classes, &gradient, targets, weights, &losses)
      var lossesAlone = [Float](repeating: .nan, count: 4)
      level.kernels.cross_entropy_only(4, classes, logits, targets, &lossesAlone)
      for r in 0..<4 {
        let row = Array(logits[r * classes..<(r + 1) * classes])
        let expected = softmax(row)
        let target = Int(targets[r])
        let loss = target < 0 ? 0 : expected.logSum - Double(row[target])
        #expect(near([losses[r], lossesAlone[r]], [loss, loss]))
        let slopes = (0..<classes).map { i in
          target < 0 ? 0 : Double(weights[r]) * (expected.shares[i] - (i == target ? 1 : 0))
        }
        #expect(near(Array(gradient[r * classes..<(r + 1) * classes]), slopes, 2e-6))
      }
    }
  }

  @Test("a logit that is no number gives a loss that is none", arguments: KernelLevel.all)
  func aBadLogitGivesABadLoss(_ level: KernelLevel) {
    for classes in [1, 3, 8, 40, 41] {
      for bad in [Float.nan, .infinity] {
        for position in 0..<classes {
          var logits = [Float](repeating: 0, count: 2 * classes)
          logits[position] = bad
          var losses: [Float] = [0, 0]
          level.kernels.cross_entropy_only(2, classes, logits, [0, 0], &losses)
          #expect(losses[0].isNaN && losses[1].isFinite)
          level.kernels.cross_entropy(2, classes, &logits, [0, 0], [1, 1], &losses)
          #expect(losses[0].isNaN && losses[1].isFinite)
        }
      }
    }
  }

  @Test(
    "a class that is ruled out costs nothing, and as a target infinitely much",
    arguments: KernelLevel.all
  )
  func aClassThatIsRuledOut(_ level: KernelLevel) {
    var logits = [Float](repeating: 0, count: 40)
    for row in 0..<2 { logits[row * 20 + 3] = -.infinity }
    var losses: [Float] = [0, 0]
    level.kernels.cross_entropy(2, 20, &logits, [5, 3], [1, 1], &losses)
    #expect(abs(Double(losses[0]) - log(19)) < 1e-6)
    #expect(logits[3] == 0)
    #expect(losses[1] == .infinity)
  }
}
