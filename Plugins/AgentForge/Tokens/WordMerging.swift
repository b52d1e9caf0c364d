/// Merges within one word, always the earliest merge that applies, at the leftmost place.
///
/// A heap holds the pairs that can be merged, so a word of n bytes takes n log n steps, however long it is. Its memory
/// is used again for the next word.
struct WordMerging {
  private var symbols: [Int32] = []
  private var next: [Int] = []
  private var previous: [Int] = []
  // Merged token in the upper half, place in the lower: the smallest is the earliest merge, leftmost.
  private var heap = MinHeap<UInt64>()

  /// Appends the tokens of `word` to `tokens`.
  mutating func append(_ word: Span<UInt8>, _ pairs: PairTable, to tokens: inout [Int32]) {
    if word.count == 1 {
      tokens.append(Int32(word[0]))
      return
    }
    load(word)
    for place in 0..<word.count - 1 { offer(place, pairs) }
    while let candidate = heap.pop() {
      let place = Int(candidate & 0xFFFF_FFFF)
      let merged = Int32(candidate >> 32)
      let after = next[place]
      // The pair may have gone meanwhile, with either of its sides.
      guard symbols[place] >= 0, after < word.count,
        pairs.token(symbols[place], symbols[after]) == merged
      else { continue }
      symbols[place] = merged
      symbols[after] = -1
      next[place] = next[after]
      if next[place] < word.count {
        previous[next[place]] = place
        offer(place, pairs)
      }
      if previous[place] >= 0 { offer(previous[place], pairs) }
    }
    for symbol in symbols where symbol >= 0 { tokens.append(symbol) }
  }

  private mutating func load(_ word: Span<UInt8>) {
    symbols.removeAll(keepingCapacity: true)
    next.removeAll(keepingCapacity: true)
    previous.removeAll(keepingCapacity: true)
    for place in 0..<word.count {
      symbols.append(Int32(word[place]))
      next.append(place + 1)
      previous.append(place - 1)
    }
  }

  private mutating func offer(_ place: Int, _ pairs: PairTable) {
    let merged = pairs.token(symbols[place], symbols[next[place]])
    if merged >= 0 { heap.push(UInt64(merged) << 32 | UInt64(place)) }
  }
}
