import Glibc

/// How the next token is chosen.
package struct Sampling: Sendable, Equatable {
  /// Divides the scores, 0...2; 0 always takes the likeliest token.
  package var temperature = 0.8
  /// Only so many of the likeliest tokens are drawn from; 0 for all.
  package var topK = 0
  /// Only the likeliest tokens that together reach this probability are drawn from.
  ///
  /// Nucleus sampling, Holtzman et al. 2020.
  package var topP = 1.0
  /// Makes tokens that stood before less likely, 1...2; 1 for no change.
  ///
  /// Keskar et al. 2019, section 4.1.
  package var repetitionPenalty = 1.0
  /// The same seed draws the same tokens; `nil` draws anew each time.
  package var seed: UInt64?

  package init() {}
}

/// Why no token could be chosen.
package enum SamplerError: Error, Equatable, CustomStringConvertible {
  /// The model's score of this token is no finite number.
  case notFinite(token: Int)

  package var description: String {
    switch self {
    case .notFinite(let token):
      "the model gives token \(token) a score that is no finite number; its weights are damaged"
    }
  }
}

/// Draws tokens from a model's scores.
package struct Sampler {
  /// What was drawn.
  package struct Choice: Sendable, Equatable {
    package let token: Int32
    /// What the model itself gave it among all tokens, whatever the temperature: 0...1.
    package let probability: Double
  }

  private struct Candidate {
    var token: Int32
    var score: Float
    var weight: Double
  }

  private let sampling: Sampling
  private let forbidden: Set<Int32>
  private var generator: Generator
  private var hasStood: [Bool]
  private var candidates: [Candidate] = []

  /// A sampler for one answer.
  ///
  /// - Parameters:
  ///   - sampling: How to choose.
  ///   - vocabulary: Tokens that scores are given of.
  ///   - allowed: The specials that may be drawn; none of the others ever is.
  package init(
    _ sampling: Sampling,
    vocabulary: Int,
    allowed: Set<Special> = [.endOfText, .endOfTurn]
  ) {
    self.sampling = sampling
    forbidden = Set(Special.allCases.filter { !allowed.contains($0) }.map(\.id))
    hasStood = Array(repeating: false, count: vocabulary)
    var random = SystemRandomNumberGenerator()
    generator = Generator(seed: sampling.seed ?? random.next())
    candidates.reserveCapacity(vocabulary)
  }

  /// Tells which tokens stand before what is drawn.
  package mutating func note(_ tokens: some Sequence<Int32>) {
    for token in tokens { hasStood[Int(token)] = true }
  }

  /// Draws the next token, and notes it.
  ///
  /// - Parameter logits: The score of each token of the vocabulary.
  /// - Returns: The token.
  /// - Throws: `SamplerError` for a score that is not finite.
  package mutating func choose(_ logits: Floats) throws(SamplerError) -> Choice {
    precondition(logits.count == hasStood.count, "\(logits.count) scores of \(hasStood.count)")
    let (highest, logSum) = try gather(logits)
    let token = sampling.temperature == 0 ? likeliest() : draw(highest)
    hasStood[Int(token)] = true
    return Choice(token: token, probability: exp(Double(logits[Int(token)]) - logSum))
  }

  /// Sets `candidates`; gives the highest score among them, and the logarithm of the sum over all tokens of exp.
  private mutating func gather(
    _ logits: Floats
  ) throws(SamplerError) -> (highest: Float, logSum: Double) {
    candidates.removeAll(keepingCapacity: true)
    let penalty = Float(sampling.repetitionPenalty)
    var top = -Float.infinity
    var highest = -Float.infinity
    for index in 0..<logits.count {
      var score = unsafe logits.start[index]
      guard score.isFinite else { throw .notFinite(token: index) }
      top = max(top, score)
      if index >= Special.bytes, index < Special.end, forbidden.contains(Int32(index)) { continue }
      if penalty != 1, hasStood[index] { score = score > 0 ? score / penalty : score * penalty }
      highest = max(highest, score)
      candidates.append(Candidate(token: Int32(index), score: score, weight: 0))
    }
    var sum = 0.0
    for index in 0..<logits.count { sum += unsafe Double(exp(logits.start[index] - top)) }
    return (highest, Double(top) + log(sum))
  }

  /// The first of the highest scores.
  private func likeliest() -> Int32 {
    var best = candidates[0]
    for candidate in candidates where candidate.score > best.score { best = candidate }
    return best.token
  }

  private mutating func draw(_ highest: Float) -> Int32 {
    var total = 0.0
    for index in candidates.indices {
      let weight = exp(Double(candidates[index].score - highest) / sampling.temperature)
      candidates[index].weight = weight
      total += weight
    }
    if sampling.topK > 0, sampling.topK < candidates.count { total = keepLikeliest(sampling.topK) }
    if sampling.topP < 1 { total = keepNucleus(total) }
    var left = generator.uniform() * total
    for candidate in candidates {
      left -= candidate.weight
      if left < 0 { return candidate.token }
    }
    // Rounding may leave a little; the last one with any weight takes it.
    return candidates.last { $0.weight > 0 }?.token ?? likeliest()
  }

  /// Keeps the `count` likeliest candidates, of equals the earlier token, and gives the sum of their weights.
  ///
  /// Quickselect (Hoare 1961), since only the border between both parts is wanted, and no order.
  private mutating func keepLikeliest(_ count: Int) -> Double {
    var low = 0
    var high = candidates.count - 1
    while low < high {
      let pivot = candidates[(low + high) / 2]
      var left = low
      var right = high
      while left <= right {
        while Self.precedes(candidates[left], pivot) { left += 1 }
        while Self.precedes(pivot, candidates[right]) { right -= 1 }
        guard left <= right else { break }
        candidates.swapAt(left, right)
        left += 1
        right -= 1
      }
      if count <= right { high = right } else if count >= left { low = left } else { break }
    }
    candidates.removeSubrange(count...)
    return candidates.reduce(0) { $0 + $1.weight }
  }

  /// Keeps the fewest of the likeliest candidates that reach `topP`, and gives the sum of their weights.
  private mutating func keepNucleus(_ total: Double) -> Double {
    // All candidates below this weight together have less than 1 - topP: none of them is needed, or sorted.
    let least = (1 - sampling.topP) * total / Double(candidates.count)
    candidates.removeAll { $0.weight < least }
    candidates.sort { Self.precedes($0, $1) }
    var sum = 0.0
    for (index, candidate) in candidates.enumerated() {
      sum += candidate.weight
      guard sum >= sampling.topP * total else { continue }
      candidates.removeSubrange((index + 1)...)
      break
    }
    return sum
  }

  private static func precedes(_ one: Candidate, _ other: Candidate) -> Bool {
    one.score == other.score ? one.token < other.token : one.score > other.score
  }
}
