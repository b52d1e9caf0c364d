import PluginStorage

/// Tokens in a row, and what follows each of them.
package struct TokenStream: Sendable, Equatable {
  package private(set) var tokens: [Int32] = []

  /// For each token the one after it, or −1 where that one is not to be learned; the last is −1.
  package private(set) var targets: [Int32] = []

  package init() {}

  package var count: Int { tokens.count }

  /// Whether anything in it is to be learned.
  package var hasTarget: Bool { targets.contains { $0 >= 0 } }

  /// Adds a token, and whether it is to be learned from the one before it.
  mutating func append(_ token: Int32, isTarget: Bool) {
    if isTarget, !targets.isEmpty { targets[targets.count - 1] = token }
    tokens.append(token)
    targets.append(-1)
  }

  /// The part `range` by itself: nothing follows its last token.
  func part(_ range: Range<Int>) -> TokenStream {
    var part = TokenStream()
    part.tokens = Array(tokens[range])
    part.targets = Array(targets[range])
    if !range.isEmpty { part.targets[range.count - 1] = -1 }
    return part
  }
}

/// Documents as tokens, some to train on and some held out to measure with.
package struct Dataset: Sendable {
  /// From how many documents on whole ones are held out.
  package static let documentsToHoldOutWhole = 20

  /// What is trained on.
  package let training: TokenStream

  /// What is held out; shares no token with `training`.
  package let validation: TokenStream

  /// SHA-256 over the documents in their order, 64 hexadecimal digits; the same documents have the same one.
  package let fingerprint: String

  /// How many tokens are trained on.
  package var trainingTokens: Int { training.count }

  /// How many tokens are held out.
  package var validationTokens: Int { validation.count }

  /// Encodes and splits `documents`; each is followed by `endOfText`.
  ///
  /// From 20 documents on, whole documents that `seed` picks are held out, at most the fraction asked for; where there
  /// are fewer, or each is larger than that fraction, the end of the text is.
  ///
  /// - Parameters:
  ///   - documents: In the order they are trained in.
  ///   - tokenizer: Encodes them.
  ///   - validationFraction: 0.001...0.5 of the tokens.
  ///   - seed: Picks what is held out.
  ///   - context: How many tokens the model sees at once.
  ///   - assistantOnly: Whether of dialogues only what the assistant says is to be learned.
  /// - Throws: `DataError.tooSmall` for fewer than two contexts of tokens, `.noTargets`.
  package init(
    documents: [Document],
    tokenizer: Tokenizer,
    validationFraction: Double,
    seed: UInt64,
    context: Int,
    assistantOnly: Bool = false
  ) throws(DataError) {
    precondition((0.001...0.5).contains(validationFraction), "fraction \(validationFraction)")
    precondition(context > 0, "context \(context)")
    let encoded = documents.map { document in
      var marked = document.marked(tokenizer)
      marked.append(.endOfText, isTarget: true)
      return marked
    }
    let total = encoded.reduce(0) { $0 + $1.tokens.count }
    let needed = 2 * (context + 1)
    guard total >= needed else { throw .tooSmall(tokens: total, needed: needed) }
    // At least two tokens, or there is nothing to predict.
    let budget = max(2, Int(Double(total) * validationFraction))
    let held = Self.heldOut(encoded.map(\.tokens.count), budget, seed)
    if held.isEmpty {
      let all = Self.stream(encoded, assistantOnly) { _ in true }
      training = all.part(0..<total - budget)
      validation = all.part(total - budget..<total)
    } else {
      training = Self.stream(encoded, assistantOnly) { !held.contains($0) }
      validation = Self.stream(encoded, assistantOnly) { held.contains($0) }
    }
    guard training.hasTarget, validation.hasTarget else { throw .noTargets }
    fingerprint = Self.fingerprint(of: documents)
  }

  /// The documents to hold out, together at most `budget` tokens; none when documents are few or all too large.
  private static func heldOut(_ sizes: [Int], _ budget: Int, _ seed: UInt64) -> Set<Int> {
    guard sizes.count >= documentsToHoldOutWhole else { return [] }
    var generator = Generator(seed: seed, stream: 0x5350_4C49_54)
    var left = budget
    var held: Set<Int> = []
    for index in sizes.indices.shuffled(using: &generator) where sizes[index] <= left {
      // A single endOfText predicts nothing.
      guard sizes[index] > 1 else { continue }
      held.insert(index)
      left -= sizes[index]
    }
    return held
  }

  private static func stream(
    _ encoded: [MarkedTokens],
    _ assistantOnly: Bool,
    _ isWanted: (Int) -> Bool
  ) -> TokenStream {
    var stream = TokenStream()
    for (index, marked) in encoded.enumerated() where isWanted(index) {
      for (token, target) in zip(marked.tokens, marked.isTarget) {
        stream.append(token, isTarget: target || !assistantOnly)
      }
    }
    return stream
  }

  /// SHA-256 over `documents`, each part with its length before it so that no two lists read the same.
  package static func fingerprint(of documents: [Document]) -> String {
    var hash = SHA256()
    func add(_ tag: String, _ bytes: [UInt8]) {
      hash.update(Array("\(tag) \(bytes.count)\n".utf8).span)
      hash.update(bytes.span)
    }
    for document in documents {
      switch document {
      case .plain(let bytes): add("plain", bytes)
      case .dialogue(let turns):
        add("dialogue", Array("\(turns.count)".utf8))
        for turn in turns { add(turn.role.rawValue, Array(turn.content.utf8)) }
      }
    }
    return hash.finish()
  }
}
