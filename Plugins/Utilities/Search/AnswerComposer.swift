/// Makes an answer of the best sentences of the best passages; adds no word of its own.
struct AnswerComposer {
  /// Bytes of one sentence that are quoted.
  static let maxSentenceBytes = 600
  static let maxExcerptBytes = 400
  /// A sentence worth less than this share of the best one is left out.
  private static let leastShare = 0.35

  private struct Candidate {
    var source: Int
    var order: Int
    var text: String
    var stems: Set<String>
    var worth: Double
  }

  let ranking: Ranking

  /// The answer, with and without the sources' numbers.
  ///
  /// `texts[n]` is what source `n + 1` says, and may be read along around it.
  func compose(
    _ texts: [(heading: String, body: String, relevance: Double)],
    sentences limit: Int
  ) -> (numbered: String, plain: String) {
    var candidates: [Candidate] = []
    for (source, text) in texts.enumerated() {
      for (order, sentence) in Sentences.split(text.body).enumerated() {
        let stems = Terms.stems(in: sentence)
        let worth = worth(of: stems, under: text.heading) + 0.5 * text.relevance
        candidates.append(
          Candidate(
            source: source,
            order: order,
            text: Self.shortened(sentence, Self.maxSentenceBytes),
            stems: Set(stems),
            worth: worth
          )
        )
      }
    }
    candidates.sort { one, other in
      one.worth == other.worth
        ? (one.source, one.order) < (other.source, other.order) : one.worth > other.worth
    }
    let least = (candidates.first?.worth ?? 0) * Self.leastShare
    var chosen: [Candidate] = []
    for candidate in candidates where chosen.count < limit && candidate.worth >= least {
      if !chosen.contains(where: { Self.repeats(candidate, $0) }) { chosen.append(candidate) }
    }
    chosen.sort { ($0.source, $0.order) < ($1.source, $1.order) }
    return joined(chosen)
  }

  /// The part of a passage that bears most on the question, at most `maxExcerptBytes` long.
  func excerpt(heading: String, body: String) -> String {
    let sentences = Sentences.split(body)
    var best = (index: 0, worth: -1.0)
    for (index, sentence) in sentences.enumerated() {
      let worth = worth(of: Terms.stems(in: sentence), under: heading)
      if worth > best.worth { best = (index, worth) }
    }
    var excerpt = ""
    for sentence in sentences.dropFirst(best.index) {
      let more = excerpt.isEmpty ? sentence : excerpt + " " + sentence
      if !excerpt.isEmpty, more.utf8.count > Self.maxExcerptBytes { break }
      excerpt = more
    }
    return Self.shortened(excerpt, Self.maxExcerptBytes)
  }

  private func worth(of stems: [String], under heading: String) -> Double {
    let total = max(ranking.askedWeight, .leastNormalMagnitude)
    let held = Set(stems.compactMap(ranking.place(of:)))
    let over = Set(Terms.stems(in: heading).compactMap(ranking.place(of:))).subtracting(held)
    let added = ranking.added.filter { stems.contains($0.term.stem) }
    let addedWorth = 0.1 * Double(added.count) / Double(max(1, ranking.added.count))
    // A very short line is a label, and says little of itself.
    let length = stems.count < 4 ? 0.6 : 1
    return length * (ranking.weight(of: held) / total + addedWorth)
      + 0.3 * ranking.weight(of: over) / total
  }

  private static func repeats(_ one: Candidate, _ other: Candidate) -> Bool {
    let both = one.stems.intersection(other.stems).count
    let either = one.stems.union(other.stems).count
    return either == 0 || Double(both) / Double(either) > 0.8
  }

  private func joined(_ chosen: [Candidate]) -> (numbered: String, plain: String) {
    var numbered = ""
    var plain = ""
    for (index, sentence) in chosen.enumerated() {
      let next = index + 1 < chosen.count ? chosen[index + 1] : nil
      let isLastOfSource = next?.source != sentence.source
      // What does not end as a sentence (a row, an item) ends its line.
      let endsLine = isLastOfSource || !".!?…".contains(sentence.text.last ?? " ")
      let end = next == nil ? "" : endsLine ? "\n" : " "
      plain += sentence.text + end
      numbered += sentence.text + (isLastOfSource ? " [\(sentence.source + 1)]" : "") + end
    }
    return (numbered, plain)
  }

  /// At most `limit` bytes of whole words, with an ellipsis where something was left out.
  static func shortened(_ text: String, _ limit: Int) -> String {
    guard text.utf8.count > limit else { return text }
    let head = PlainWords.prefix(text, bytes: limit - 4)
    guard let space = head.lastIndex(of: " ") else { return head + "…" }
    return head[..<space] + " …"
  }
}
