import Testing

@testable import AgentForge

@Suite("The tokenizer")
struct TokenizerTests {
  /// `ab`, ` ab`, `aba`… on top of the bytes.
  static func small() throws -> Tokenizer {
    try Tokenizer(merges: [
      Merge(97, 98), Merge(32, 272), Merge(272, 97), Merge(0xC3, 0xA9), Merge(108, 108),
    ])
  }

  @Test("the specials follow the bytes and have names of their own")
  func theSpecialsFollowTheBytes() {
    #expect(Special.allCases.map(\.id) == Array(256...271))
    #expect(Set(Special.allCases.map(\.name)).count == 16)
    #expect(Special.user.name == "<|user|>")
    #expect(Special.end == 272)
    #expect(Tokenizer.bytes.vocabulary == 272)
  }

  @Test("every byte value comes back, with merges and without")
  func everyByteValueComesBack() throws {
    let all = Array(UInt8.min ... .max)
    for tokenizer in [Tokenizer.bytes, try Self.small()] {
      #expect(tokenizer.decode(tokenizer.encode(all)) == all)
      for byte in all { #expect(tokenizer.bytes(of: Int32(byte)) == [byte]) }
    }
  }

  @Test("random bytes come back, whatever the merges")
  func randomBytesComeBack() throws {
    let tokenizer = try Self.small()
    var generator = Generator(seed: 3)
    for length in 0..<200 {
      let bytes = (0..<length).map { _ in
        Array("ab lé \n'".utf8).randomElement(using: &generator) ?? 0
      }
      #expect(tokenizer.decode(tokenizer.encode(bytes)) == bytes)
    }
  }

  @Test("text that looks like a special is encoded as its bytes")
  func textThatLooksLikeASpecialIsBytes() throws {
    for special in Special.allCases {
      for tokenizer in [Tokenizer.bytes, try Self.small()] {
        let tokens = tokenizer.encode(special.name)
        #expect(tokens.allSatisfy { Special(rawValue: $0) == nil })
        #expect(tokenizer.decode(tokens) == Array(special.name.utf8))
      }
      #expect(Tokenizer.bytes.decode([special.id]).isEmpty)
    }
  }

  @Test("the earliest merge goes first, the leftmost pair before others")
  func theEarliestMergeGoesFirst() throws {
    let tokenizer = try Self.small()
    #expect(tokenizer.encode("ab") == [272])
    #expect(tokenizer.encode("x ab") == [120, 273])
    #expect(tokenizer.encode("aba") == [274])
    #expect(tokenizer.encode("abab") == [272, 272])
    #expect(tokenizer.encode("lll") == [276, 108])
    #expect(tokenizer.encode("é") == [275])
  }

  @Test("a very long word is encoded as its short parts are")
  func aVeryLongWordIsEncoded() throws {
    let tokenizer = try Self.small()
    let tokens = tokenizer.encode([UInt8](repeating: 108, count: 20_001))
    #expect(tokens == Array(repeating: 276, count: 10_000) + [108])
    // One that is too long to be merged as a whole is encoded in pieces, and comes back.
    let longest = [UInt8](repeating: 108, count: Tokenizer.longestWord)
    #expect(tokenizer.encode(longest).count == Tokenizer.longestWord / 2)
    let longer = [108] + longest + [108]
    #expect(tokenizer.encode(longer).count == Tokenizer.longestWord / 2 + 1)
    #expect(tokenizer.decode(tokenizer.encode(longer)) == longer)
  }

  @Test("a word longer than the limit is cut there, and elsewhere nothing changes")
  func aLongWordIsCut() {
    for text in [
      "aaaaaaaaaa b", "a          b", "          ", "'s's's's", "a  b  c  d", "é!!!!!! 12",
    ] {
      let bytes = Array(text.utf8)
      for limit in 3...12 {
        var start = 0
        while start < bytes.count {
          let whole = WordSplit.end(from: start, in: bytes.span, limit: 100)
          let end = WordSplit.end(from: start, in: bytes.span, limit: limit)
          #expect(end == min(whole, start + limit), "\(text) from \(start), \(limit)")
          start = end
        }
      }
    }
  }

  @Test("words are cut as GPT-2 cuts them")
  func wordsAreCut() {
    func words(_ text: String) -> [String] {
      let bytes = Array(text.utf8)
      var words: [String] = []
      var start = 0
      while start < bytes.count {
        let end = WordSplit.end(from: start, in: bytes.span, limit: bytes.count + 3)
        words.append(String(decoding: bytes[start..<end], as: UTF8.self))
        start = end
      }
      return words
    }
    #expect(words("Hello world") == ["Hello", " world"])
    #expect(words("I'm 42, they'll see") == ["I", "'m", " 42", ",", " they", "'ll", " see"])
    #expect(words("a  b") == ["a", " ", " b"])
    #expect(words("a \n b\n\n") == ["a", " \n", " b", "\n\n"])
    #expect(words("a\nb") == ["a", "\n", "b"])
    #expect(words("x=1;") == ["x", "=", "1", ";"])
    #expect(words("schön é!") == ["schön", " é", "!"])
    #expect(words("'sam' ''s") == ["'s", "am", "'", " ''", "s"])
    #expect(words("  ") == ["  "])
  }

  @Test("merges of what does not stand before them are refused by place")
  func badMergesAreRefused() throws {
    func refusal(_ merges: [Merge]) -> String {
      do {
        _ = try Tokenizer(merges: merges)
        return ""
      } catch { return error.description }
    }
    #expect(refusal([Merge(97, 272)]) == "merges[0]: 272 is no byte and no earlier merge")
    #expect(refusal([Merge(-1, 97)]) == "merges[0]: -1 is no byte and no earlier merge")
    #expect(refusal([Merge(97, 256)]) == "merges[0]: 256 is no byte and no earlier merge")
    #expect(
      refusal([Merge(97, 97), Merge(272, 97), Merge(97, 272)])
        == "merges[2]: makes the same text as an earlier merge"
    )
    // 97 doubled: token 272 + i has 2^(i + 1) bytes.
    let doubling = [Merge(97, 97)] + (0..<8).map { Merge(Int32(272 + $0), Int32(272 + $0)) }
    #expect(refusal(Array(doubling.prefix(8))).isEmpty)
    #expect(refusal(doubling) == "merges[8]: makes a token of 512 bytes; at most 256")
    let many = [Merge](repeating: Merge(97, 97), count: 65_536 - 272 + 1)
    #expect(refusal(many) == "merges: 65265 are too many; at most 65264")
  }
}
