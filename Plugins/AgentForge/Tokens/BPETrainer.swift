/// Learns which byte pairs to merge from how often they stand next to each other.
///
/// Byte-pair encoding after Sennrich et al. (2016): the most frequent pair is merged first; of equally frequent ones
/// the pair of the smaller tokens, so the same text gives the same merges. Pairs do not cross words, as `WordSplit`
/// cuts them. The counts are kept up as words change, so a merge costs what it changes and not a pass over the text.
package struct BPETrainer {
  /// Vocabularies that can be asked for.
  package static let vocabularies = Special.end + 1...16_384

  /// The most bytes that are looked at; of more, blocks at even distances are.
  package static let sampleLimit = 8 << 20

  /// The most bytes of distinct words; a word that is new when it has no room is left out.
  ///
  /// Natural text repeats its words; random letters do not, and each merge would then change thousands of words. This
  /// much of them takes about three seconds.
  package static let distinctLimit = 1 << 20

  /// The most bytes of one word that are looked at together, and so the longest token.
  package static let longestWord = 64

  private static let blockSize = 4096

  // One entry a distinct word.
  private var words: [[Int32]] = []
  private var wordCounts: [Int] = []
  // Words a pair has ever stood in; some it no longer stands in.
  private var places: [Merge: [Int32]] = [:]
  private var counts: [Merge: Int] = [:]
  private var heap = MinHeap<Candidate>()
  private var made: [[UInt8]] = []
  private var known: Set<[UInt8]> = []

  /// A pair and how often it stood when it was put into the heap; the smaller is merged first.
  private struct Candidate: Comparable {
    let count: Int
    let pair: Merge

    static func < (left: Candidate, right: Candidate) -> Bool {
      if left.count != right.count { return left.count > right.count }
      if left.pair.left != right.pair.left { return left.pair.left < right.pair.left }
      return left.pair.right < right.pair.right
    }
  }

  /// The tokenizer for `texts`.
  ///
  /// - Parameters:
  ///   - texts: What to learn from; a word lies within one of them.
  ///   - vocabulary: One of `vocabularies`: how many tokens are wanted.
  ///   - distinctLimit: How many bytes of distinct words are looked at.
  /// - Returns: A tokenizer with at most `vocabulary` tokens: fewer when no pair stands twice any more.
  package static func train(
    on texts: [[UInt8]],
    vocabulary: Int,
    distinctLimit: Int = Self.distinctLimit
  ) -> Tokenizer {
    precondition(vocabularies.contains(vocabulary), "a vocabulary of \(vocabulary)")
    var trainer = BPETrainer()
    trainer.count(sample(texts, limit: sampleLimit), distinctLimit)
    var merges: [Merge] = []
    while merges.count < vocabulary - Special.end, let pair = trainer.mostFrequent() {
      trainer.merge(pair, into: Int32(Special.end + merges.count))
      merges.append(pair)
    }
    do { return try Tokenizer(merges: merges) } catch { preconditionFailure("\(error)") }
  }

  /// Blocks of `texts` at even distances, together at most `limit` bytes; all of them when they are no more.
  static func sample(_ texts: [[UInt8]], limit: Int) -> [ArraySlice<UInt8>] {
    let total = texts.reduce(0) { $0 + $1.count }
    guard total > limit else { return texts.map { $0[...] } }
    var blocks: [ArraySlice<UInt8>] = []
    var seen = 0
    var taken = 0
    for text in texts {
      for start in stride(from: 0, to: text.count, by: blockSize) {
        let block = text[start..<min(start + blockSize, text.count)]
        seen += block.count
        // The share taken so far stays as near below limit / total as whole blocks allow.
        guard Double(taken + block.count) * Double(total) <= Double(limit) * Double(seen) else {
          continue
        }
        taken += block.count
        blocks.append(block)
      }
    }
    return blocks
  }

  private mutating func count(_ blocks: [ArraySlice<UInt8>], _ distinctLimit: Int) {
    var indices: [ArraySlice<UInt8>: Int] = [:]
    var left = distinctLimit
    for block in blocks {
      let span = block.span
      var start = 0
      while start < span.count {
        // A merge rewrites the whole word, so a text without spaces is cut up.
        let end = WordSplit.end(from: start, in: span, limit: Self.longestWord)
        let word = block[block.startIndex + start..<block.startIndex + end]
        start = end
        guard word.count > 1 else { continue }
        if let index = indices[word] {
          wordCounts[index] += 1
        } else if word.count <= left {
          left -= word.count
          indices[word] = words.count
          words.append(word.map { Int32($0) })
          wordCounts.append(1)
        }
      }
    }
    for (index, word) in words.enumerated() {
      for place in 1..<word.count {
        add(wordCounts[index], Merge(word[place - 1], word[place]), index)
      }
    }
    for (pair, count) in counts { heap.push(Candidate(count: count, pair: pair)) }
  }

  /// Counts a pair that has come into a word, as often as the word stands.
  private mutating func add(_ times: Int, _ pair: Merge, _ index: Int) {
    counts[pair, default: 0] += times
    // A word's pairs come in a row, so a look at the last entry keeps most repeats out.
    if places[pair]?.last != Int32(index) { places[pair, default: []].append(Int32(index)) }
  }

  /// The pair to merge next: it stands at least twice, and what it makes is no token yet.
  private mutating func mostFrequent() -> Merge? {
    while let candidate = heap.pop() {
      let count = counts[candidate.pair] ?? 0
      if count < candidate.count {
        if count > 1 { heap.push(Candidate(count: count, pair: candidate.pair)) }
        continue
      }
      guard count > 1 else { return nil }
      let text = bytes(of: candidate.pair.left) + bytes(of: candidate.pair.right)
      // Two tokens of one text could not both stand in a file of tokens by their texts.
      guard known.insert(text).inserted else { continue }
      made.append(text)
      return candidate.pair
    }
    return nil
  }

  private func bytes(of token: Int32) -> [UInt8] {
    token < 256 ? [UInt8(token)] : made[Int(token) - Special.end]
  }

  private mutating func merge(_ pair: Merge, into token: Int32) {
    var changed: Set<Merge> = []
    for index in Set(places.removeValue(forKey: pair) ?? []).sorted() {
      replace(pair, by: token, inWord: Int(index), &changed)
    }
    counts[pair] = nil
    // A later merge cannot make such a pair more frequent, so one that stands once is never wanted.
    for pair in changed {
      if let count = counts[pair], count > 1 { heap.push(Candidate(count: count, pair: pair)) }
    }
  }

  /// Rewrites one word, and the counts of the pairs beside each place that changes.
  private mutating func replace(
    _ pair: Merge,
    by token: Int32,
    inWord index: Int,
    _ changed: inout Set<Merge>
  ) {
    let word = words[index]
    let times = wordCounts[index]
    var new: [Int32] = []
    new.reserveCapacity(word.count)
    var place = 0
    while place < word.count {
      guard place + 1 < word.count, word[place] == pair.left, word[place + 1] == pair.right else {
        new.append(word[place])
        place += 1
        continue
      }
      if let before = new.last {
        counts[Merge(before, pair.left), default: 0] -= times
        add(times, Merge(before, token), index)
        changed.insert(Merge(before, token))
      }
      if place + 2 < word.count {
        counts[Merge(pair.right, word[place + 2]), default: 0] -= times
        add(times, Merge(token, word[place + 2]), index)
        changed.insert(Merge(token, word[place + 2]))
      }
      new.append(token)
      place += 2
    }
    words[index] = new
  }
}
