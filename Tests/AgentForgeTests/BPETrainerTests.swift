import Testing

@testable import AgentForge

@Suite("Learning byte pairs")
struct BPETrainerTests {
  static let text = Array(
    String(
      repeating: "the cat sat on the mat; the dog and the cat ate the hat's 123 rats. ",
      count: 20
    )
    .utf8
  )

  @Test("the most frequent pair is merged first, of equal ones the smaller")
  func theMostFrequentPairIsFirst() {
    // Pairs: ab 3 times in aab, aab, ab; aa 2 times; then a+ab twice.
    let tokenizer = BPETrainer.train(on: [Array("aab\naab\nab".utf8)], vocabulary: 300)
    #expect(tokenizer.merges == [Merge(97, 98), Merge(97, 272)])
    let ties = BPETrainer.train(on: [Array("xy\nxy\nab\nab".utf8)], vocabulary: 300)
    #expect(ties.merges == [Merge(97, 98), Merge(120, 121)])
  }

  @Test("merges are those of counting all pairs anew each time")
  func mergesAreThoseOfCountingAnew() {
    var generator = Generator(seed: 11)
    for _ in 0..<4 {
      let text = (0..<250).map { _ in Array("aabc é".utf8).randomElement(using: &generator) ?? 0 }
      let learned = BPETrainer.train(on: [text], vocabulary: 310).merges
      #expect(learned == Self.naive(text, limit: 310 - 272))
    }
  }

  /// The definition, pass by pass.
  private static func naive(_ text: [UInt8], limit: Int) -> [Merge] {
    var words: [[Int32]] = []
    var start = 0
    while start < text.count {
      let end = WordSplit.end(from: start, in: text.span, limit: text.count + 3)
      for part in stride(from: start, to: end, by: 64) {
        words.append(text[part..<min(part + 64, end)].map { Int32($0) })
      }
      start = end
    }
    var merges: [Merge] = []
    var made = (0..<272).map { $0 < 256 ? [UInt8($0)] : [] }
    while merges.count < limit {
      var counts: [Merge: Int] = [:]
      for word in words where word.count > 1 {
        for (left, right) in zip(word, word.dropFirst()) {
          counts[Merge(left, right), default: 0] += 1
        }
      }
      let known = Set(made)
      let best =
        counts
        .filter {
          $0.value > 1 && !known.contains(made[Int($0.key.left)] + made[Int($0.key.right)])
        }
        .min { ($1.value, $0.key.left, $0.key.right) < ($0.value, $1.key.left, $1.key.right) }
      guard let pair = best?.key else { break }
      merges.append(pair)
      made.append(made[Int(pair.left)] + made[Int(pair.right)])
      for index in words.indices {
        var place = 0
        while place + 1 < words[index].count {
          if words[index][place] == pair.left, words[index][place + 1] == pair.right {
            words[index].replaceSubrange(place...place + 1, with: [Int32(made.count - 1)])
          }
          place += 1
        }
      }
    }
    return merges
  }

  @Test("the same text gives the same merges, and text comes back through them")
  func theSameTextGivesTheSameMerges() {
    let one = BPETrainer.train(on: [Self.text], vocabulary: 320)
    #expect(one == BPETrainer.train(on: [Self.text], vocabulary: 320))
    #expect(one.decode(one.encode(Self.text)) == Self.text)
    let all = Array(UInt8.min ... .max)
    #expect(one.decode(one.encode(all)) == all)
  }

  @Test("merges shorten what they learned from, and stop when no pair stands twice")
  func mergesShortenText() {
    let tokenizer = BPETrainer.train(on: [Self.text], vocabulary: 16_384)
    #expect(tokenizer.vocabulary < 340)
    // 17 words, " 123" and so on, each one token in the end.
    #expect(tokenizer.encode(Self.text).count < Self.text.count / 3)
    #expect(BPETrainer.train(on: [Self.text], vocabulary: 273).vocabulary == 273)
    #expect(BPETrainer.train(on: [], vocabulary: 400) == .bytes)
    #expect(BPETrainer.train(on: [[97, 98]], vocabulary: 400) == .bytes)
  }

  @Test("no token crosses words or is longer than 64 bytes")
  func noTokenCrossesWords() {
    let long = [UInt8](repeating: 97, count: 5000)
    let tokenizer = BPETrainer.train(on: [Self.text, long], vocabulary: 1000)
    for token in 272..<Int32(tokenizer.vocabulary) {
      let bytes = tokenizer.bytes(of: token)
      #expect(bytes.count <= 64)
      #expect(WordSplit.end(from: 0, in: bytes.span, limit: 64) == bytes.count)
    }
  }

  @Test("text without a space is learned from in the time of other text", .timeLimit(.minutes(1)))
  func textWithoutASpaceIsLearned() {
    var generator = Generator(seed: 2)
    let letters = (0..<400_000).map { _ in UInt8(97 + generator.below(26)) }
    #expect(BPETrainer.train(on: [letters], vocabulary: 276).vocabulary == 276)
  }

  @Test("words met first beyond the limit of distinct ones are left out")
  func wordsBeyondTheLimitAreLeftOut() {
    let text = [Array("ab\nab\ncde\ncde\nfg\nfg\nab".utf8)]
    func merges(_ limit: Int) -> Int {
      BPETrainer.train(on: text, vocabulary: 300, distinctLimit: limit).merges.count
    }
    #expect(merges(1) == 0)
    #expect(merges(2) == 1)
    // `fg` fits where `cde` does not.
    #expect(merges(4) == 2)
    #expect(merges(5) == 3)
    #expect(merges(7) == 4)
  }

  @Test("of much text evenly spread blocks are looked at")
  func ofMuchTextBlocksAreLookedAt() {
    let texts = (0..<10).map { [UInt8](repeating: UInt8($0), count: 10_000) }
    let blocks = BPETrainer.sample(texts, limit: 50_000)
    let taken = blocks.reduce(0) { $0 + $1.count }
    #expect(taken <= 50_000)
    #expect(taken > 40_000)
    #expect(Set(blocks.compactMap(\.first)).count >= 9)
    #expect(BPETrainer.sample(texts, limit: 100_000).map(\.count) == texts.map(\.count))
  }
}
