import Glibc

/// Random numbers that a seed decides: xoshiro256** (Blackman and Vigna 2018), seeded with SplitMix64.
///
/// Its whole state is four words, so that a run goes on from a checkpoint with the numbers it would have drawn.
package struct Generator: RandomNumberGenerator, Sendable, Equatable {
  private var s0, s1, s2, s3: UInt64

  /// The stream of `seed`.
  package init(seed: UInt64) {
    var x = seed
    func word() -> UInt64 {
      x &+= 0x9E37_79B9_7F4A_7C15
      var z = x
      z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
      z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
      return z ^ (z >> 31)
    }
    (s0, s1, s2, s3) = (word(), word(), word(), word())
  }

  /// The state, four words, for a checkpoint.
  package var state: [UInt64] { [s0, s1, s2, s3] }

  /// Goes on from `state`, four words of which one is not 0; `nil` for anything else.
  package init?(state: [UInt64]) {
    guard state.count == 4, state.contains(where: { $0 != 0 }) else { return nil }
    (s0, s1, s2, s3) = (state[0], state[1], state[2], state[3])
  }

  /// The stream of `seed` for one purpose, apart from those of others.
  package init(seed: UInt64, stream: UInt64) {
    var base = Generator(seed: seed ^ (stream &* 0xD134_2543_DE82_EF95))
    self.init(seed: base.next() ^ stream)
  }

  /// 64 random bits.
  package mutating func next() -> UInt64 {
    let result = rotate(s1 &* 5, 7) &* 9
    let shifted = s1 << 17
    s2 ^= s0
    s3 ^= s1
    s1 ^= s2
    s0 ^= s3
    s2 ^= shifted
    s3 = rotate(s3, 45)
    return result
  }

  private func rotate(_ x: UInt64, _ k: UInt64) -> UInt64 { (x << k) | (x >> (64 - k)) }

  /// Evenly from 0 up to 1, without 1.
  package mutating func uniform() -> Double { Double(next() >> 11) * 0x1p-53 }

  /// Evenly from 0 up to `bound`, without it; `bound` is at least 1.
  package mutating func below(_ bound: Int) -> Int { Int.random(in: 0..<bound, using: &self) }

  /// From the normal distribution of mean 0 and deviation 1 (Box and Muller 1958).
  package mutating func normal() -> Double {
    let radius = (-2 * log(1 - uniform())).squareRoot()
    return radius * cos(2 * .pi * uniform())
  }
}
