/// Why something is no tokenizer, and what is wanted.
package struct TokenizerError: Error, Equatable, CustomStringConvertible {
  package let description: String

  init(_ description: String) { self.description = description }
}

/// Two tokens that become one.
package struct Merge: Sendable, Hashable {
  package let left: Int32
  package let right: Int32

  package init(_ left: Int32, _ right: Int32) {
    self.left = left
    self.right = right
  }
}

/// Text to tokens and back: the 256 bytes, the 16 specials, and what byte pairs were merged into.
///
/// Byte-pair encoding after Sennrich et al. (2016). Token `272 + i` is what merge `i` makes; an earlier merge goes
/// before a later one. Any bytes can be encoded, and decode to themselves.
package struct Tokenizer: Sendable, Equatable {
  /// The most tokens a vocabulary may have.
  package static let largestVocabulary = 65_536

  /// The most bytes one token may stand for.
  package static let longestToken = 256

  /// The most bytes of one word that are merged together; a longer word is encoded in pieces.
  ///
  /// Merging keeps some 20 bytes for each byte of a word, and text without a space may be large.
  static let longestWord = 64 << 10

  /// The tokenizer without merges: one token a byte, and the specials.
  package static let bytes = Tokenizer()

  /// What is merged, first to last.
  package let merges: [Merge]

  private let pairs: PairTable
  // The text of token t is text[starts[t]..<starts[t + 1]].
  private let text: [UInt8]
  private let starts: [Int]

  private init() {
    merges = []
    pairs = PairTable([])
    text = Array(0...255)
    starts =
      Array(0...Special.bytes) + Array(repeating: Special.bytes, count: Special.allCases.count)
  }

  /// The tokenizer that merges `merges`, first to last.
  ///
  /// - Parameter merges: Each of tokens that stand before it, none of them special; no two make the same text.
  /// - Throws: `TokenizerError` naming the first merge that is not so.
  package init(merges: [Merge]) throws(TokenizerError) {
    guard merges.count <= Self.largestVocabulary - Special.end else {
      throw TokenizerError(
        "merges: \(merges.count) are too many; at most \(Self.largestVocabulary - Special.end)"
      )
    }
    var text = Self.bytes.text
    var starts = Self.bytes.starts
    var known: Set<[UInt8]> = []
    for (index, merge) in merges.enumerated() {
      for side in [merge.left, merge.right] {
        guard side >= 0, side < Special.end + index, Special(rawValue: side) == nil else {
          throw TokenizerError("merges[\(index)]: \(side) is no byte and no earlier merge")
        }
      }
      let made =
        text[starts[Int(merge.left)]..<starts[Int(merge.left) + 1]]
        + text[starts[Int(merge.right)]..<starts[Int(merge.right) + 1]]
      guard made.count <= Self.longestToken else {
        throw TokenizerError(
          "merges[\(index)]: makes a token of \(made.count) bytes; at most \(Self.longestToken)"
        )
      }
      guard known.insert(Array(made)).inserted else {
        throw TokenizerError("merges[\(index)]: makes the same text as an earlier merge")
      }
      text += made
      starts.append(text.count)
    }
    self.merges = merges
    self.text = text
    self.starts = starts
    pairs = PairTable(merges)
  }

  /// How many tokens there are: 272 and the merges.
  package var vocabulary: Int { Special.end + merges.count }

  /// The same merges make the same tokenizer.
  package static func == (one: Tokenizer, other: Tokenizer) -> Bool { one.merges == other.merges }

  /// The tokens of `bytes`.
  ///
  /// Never a special: text that looks like `<|user|>` is eight bytes like any others, so nobody speaks in another's
  /// role by writing it.
  package func encode(_ bytes: [UInt8]) -> [Int32] {
    if merges.isEmpty { return bytes.map { Int32($0) } }
    var tokens: [Int32] = []
    tokens.reserveCapacity(bytes.count / 2)
    var merging = WordMerging()
    let span = bytes.span
    var start = 0
    while start < span.count {
      let end = WordSplit.end(from: start, in: span, limit: Self.longestWord)
      merging.append(span.extracting(start..<end), pairs, to: &tokens)
      start = end
    }
    return tokens
  }

  /// The tokens of the UTF-8 of `text`.
  package func encode(_ text: String) -> [Int32] { encode(Array(text.utf8)) }

  /// The bytes that `tokens` stand for; specials stand for none.
  package func decode(_ tokens: some Sequence<Int32>) -> [UInt8] {
    var bytes: [UInt8] = []
    for token in tokens { append(token, to: &bytes) }
    return bytes
  }

  /// The bytes that one token stands for; none for a special.
  package func bytes(of token: Int32) -> [UInt8] {
    var bytes: [UInt8] = []
    append(token, to: &bytes)
    return bytes
  }

  private func append(_ token: Int32, to bytes: inout [UInt8]) {
    precondition(token >= 0 && token < vocabulary, "token \(token) of \(vocabulary)")
    bytes += text[starts[Int(token)]..<starts[Int(token) + 1]]
  }
}

/// Which token a pair of tokens merges into.
///
/// Open addressing in a table at most half full: a lookup is one multiplication and on average less than two reads.
struct PairTable: Sendable {
  private var keys: [UInt64]
  private var tokens: [Int32]
  private let shift: UInt64

  /// The pairs of `merges`, of which the first makes token 272.
  init(_ merges: [Merge]) {
    var bits = 1
    while 1 << bits < merges.count * 2 { bits += 1 }
    shift = UInt64(64 - bits)
    keys = Array(repeating: .max, count: 1 << bits)
    tokens = Array(repeating: -1, count: 1 << bits)
    for (index, merge) in merges.enumerated() {
      let slot = slot(of: Self.key(merge.left, merge.right))
      guard keys[slot] == .max else { continue }
      keys[slot] = Self.key(merge.left, merge.right)
      tokens[slot] = Int32(Special.end + index)
    }
  }

  /// What `left` and `right` merge into, or −1.
  func token(_ left: Int32, _ right: Int32) -> Int32 { tokens[slot(of: Self.key(left, right))] }

  private static func key(_ left: Int32, _ right: Int32) -> UInt64 {
    UInt64(UInt32(bitPattern: left)) << 32 | UInt64(UInt32(bitPattern: right))
  }

  private func slot(of key: UInt64) -> Int {
    var slot = Int((key &* 0x9E37_79B9_7F4A_7C15) >> shift)
    while keys[slot] != key, keys[slot] != .max { slot = (slot + 1) & (keys.count - 1) }
    return slot
  }
}
