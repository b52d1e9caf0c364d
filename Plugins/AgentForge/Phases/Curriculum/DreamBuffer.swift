package import GatewayPlugin

/// The dialogues that the model dreamt and that were right, the most diverse of them.
///
/// A dream scores by the share of its pairs of neighbouring tokens that no dream in the buffer has; a full buffer lets
/// the one with the lowest score go.
package struct DreamBuffer: Sendable, Equatable {
  private struct Pair: Hashable {
    let first, second: Int32
  }

  private struct Dream: Equatable {
    let dialogue: MarkedTokens
    let score: Double
    let pairs: Set<Pair>
  }

  private let capacity: Int
  private var dreams: [Dream] = []

  /// An empty buffer.
  ///
  /// - Parameter capacity: The most dreams, at least 1.
  package init(capacity: Int) {
    precondition(capacity >= 1)
    self.capacity = capacity
  }

  /// How many dreams are kept.
  package var count: Int { dreams.count }

  private static func pairs(_ dialogue: MarkedTokens) -> Set<Pair> {
    Set(zip(dialogue.tokens, dialogue.tokens.dropFirst()).map { Pair(first: $0, second: $1) })
  }

  /// Keeps a dream, if there is room or it scores higher than another.
  ///
  /// - Parameter dialogue: A right one.
  /// - Returns: Its score, 0...1; `nil` when it is not kept or was there already.
  @discardableResult
  package mutating func add(_ dialogue: MarkedTokens) -> Double? {
    guard !dreams.contains(where: { $0.dialogue == dialogue }) else { return nil }
    let pairs = Self.pairs(dialogue)
    let known = dreams.reduce(into: Set<Pair>()) { $0.formUnion($1.pairs) }
    let score = Double(pairs.subtracting(known).count) / Double(max(pairs.count, 1))
    if dreams.count == capacity {
      guard let lowest = dreams.indices.min(by: { dreams[$0].score < dreams[$1].score }),
        dreams[lowest].score < score
      else { return nil }
      dreams.remove(at: lowest)
    }
    dreams.append(Dream(dialogue: dialogue, score: score, pairs: pairs))
    return score
  }

  /// Takes the best dreams out, the highest score first and of equal ones the oldest.
  ///
  /// - Parameter count: The most to take.
  /// - Returns: The dialogues.
  package mutating func takeBest(_ count: Int) -> [MarkedTokens] {
    let order = dreams.indices.sorted {
      (dreams[$1].score, $0) < (dreams[$0].score, $1)
    }
    let taken = order.prefix(count)
    let best = taken.map { dreams[$0].dialogue }
    let gone = Set(taken)
    dreams = dreams.indices.filter { !gone.contains($0) }.map { dreams[$0] }
    return best
  }

  /// What a checkpoint keeps.
  package var state: JSON {
    .array(
      dreams.map { ["score": .number($0.score), "dialogue": $0.dialogue.state] }
    )
  }

  /// Goes on from a state.
  ///
  /// - Parameter state: As `state` gave it.
  /// - Throws: `RunFailure` when it is none.
  package mutating func restore(_ state: JSON?) throws(RunFailure) {
    var found: [Dream] = []
    for dream in state?.asArray ?? [] {
      guard let score = dream["score"]?.asNumber, let part = dream["dialogue"] else {
        throw RunFailure("A dream of the checkpoint cannot be read; start the run anew.")
      }
      let dialogue = try MarkedTokens(state: part)
      found.append(Dream(dialogue: dialogue, score: score, pairs: Self.pairs(dialogue)))
    }
    dreams = found
  }
}

extension MarkedTokens {
  /// For a checkpoint: each token, one lower than its negative where it is a target.
  var state: JSON {
    .array(zip(tokens, isTarget).map { .integer(Int64($1 ? -1 - $0 : $0)) })
  }

  /// Reads what `state` gave.
  init(state: JSON) throws(RunFailure) {
    self.init()
    for value in state.asArray ?? [] {
      guard let number = value.asInteger, abs(number) <= Int64(Tokenizer.largestVocabulary) else {
        throw RunFailure("A dialogue of the checkpoint cannot be read; start the run anew.")
      }
      append([Int32(number < 0 ? -1 - number : number)], isTarget: number < 0)
    }
  }
}
