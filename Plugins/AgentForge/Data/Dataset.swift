import PluginStorage

/// Documents as tokens, some to train on and some held out to measure with.
package struct Dataset: Sendable {
  /// From how many documents on whole ones are held out.
  package static let documentsToHoldOutWhole = 20

  /// The tokens that are trained on, at least two.
  package let training: [Int32]

  /// The tokens that are held out, at least two; none of them stands in `training` too.
  package let validation: [Int32]

  /// SHA-256 over the documents in their order, 64 hexadecimal digits; the same documents have the same one.
  package let fingerprint: String

  /// How many tokens are trained on.
  package var trainingTokens: Int { training.count }

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
  /// - Throws: `DataError.tooSmall` for fewer than two contexts of tokens.
  package init(
    documents: [Document],
    tokenizer: Tokenizer,
    validationFraction: Double,
    seed: UInt64,
    context: Int
  ) throws(DataError) {
    precondition((0.001...0.5).contains(validationFraction), "fraction \(validationFraction)")
    precondition(context > 0, "context \(context)")
    let encoded = documents.map { $0.marked(tokenizer).tokens + [Special.endOfText.id] }
    let total = encoded.reduce(0) { $0 + $1.count }
    let needed = 2 * (context + 1)
    guard total >= needed else { throw .tooSmall(tokens: total, needed: needed) }
    // At least two tokens, or there is nothing to predict.
    let budget = max(2, Int(Double(total) * validationFraction))
    let held = Self.heldOut(encoded.map(\.count), budget, seed)
    var training: [Int32] = []
    var validation: [Int32] = []
    training.reserveCapacity(total)
    for (index, tokens) in encoded.enumerated() {
      let rest = held.isEmpty ? max(total - budget - training.count, 0) : tokens.count
      let trained = held.contains(index) ? 0 : min(rest, tokens.count)
      training += tokens.prefix(trained)
      validation += tokens.dropFirst(trained)
    }
    (self.training, self.validation) = (training, validation)
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
