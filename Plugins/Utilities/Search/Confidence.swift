/// How far an answer can be trusted, from what is known of its passages.
///
/// value = factor of the mode · coverage · (0.60 + 0.20 relevance + 0.10 lead + 0.10 agreement), where
/// coverage is the weight of the question's words in the best passage (with a quarter for what only others hold),
/// lead how far the best passage is ahead of the next ones, and agreement the weight that two passages hold.
struct Confidence {
  let value: Double
  let explanation: String

  /// The confidence in an answer from passages with these scores, the best first, at least one.
  init(_ scores: [Ranking.Score], _ ranking: Ranking, _ plan: QueryMode.Plan) {
    let total = max(ranking.askedWeight, .leastNormalMagnitude)
    let top = scores.prefix(max(2, plan.answerPassages))
    guard let best = top.first else {
      value = 0
      explanation = "Nothing was found."
      return
    }
    let others = top.dropFirst()
    let united = top.reduce(into: Set<Int>()) { $0.formUnion($1.held) }
    let unitedCoverage = ranking.weight(of: united) / total
    let coverage = 0.75 * best.coverage + 0.25 * unitedCoverage
    let next = others.isEmpty ? 0 : others.reduce(0) { $0 + $1.relevance } / Double(others.count)
    let lead = best.relevance > 0 ? max(0, (best.relevance - next) / best.relevance) : 0
    let shared = best.held.intersection(others.reduce(into: Set<Int>()) { $0.formUnion($1.held) })
    let agreement = ranking.weight(of: shared) / total
    let sum = 0.60 + 0.20 * min(1, best.relevance) + 0.10 * lead + 0.10 * agreement
    // Found is never 0: that number says that nothing was.
    value = min(1, max(0.01, plan.confidenceFactor * coverage * sum))

    let missing = ranking.asked.indices.filter { !best.held.contains($0) }
      .map { "“\(ranking.asked[$0].term.word)”" }
    let words = ranking.asked.count == 1 ? "word" : "words"
    var text = """
      The best passage holds \(best.held.count) of the question's \(ranking.asked.count) \(words) \
      (\(Self.percent(best.coverage)) by weight\
      \(missing.isEmpty ? "" : "; missing: " + missing.joined(separator: ", "))).
      """
    if others.isEmpty {
      text += " No other passage bears on it."
    } else {
      text += """
         It is \(Self.percent(lead)) ahead of the next, and other passages hold \
        \(Self.percent(agreement)) of the same weight.
        """
    }
    if plan.confidenceFactor < 1 {
      text += " Loose matching lowers it to \(Self.percent(plan.confidenceFactor))."
    }
    explanation = text
  }

  static func percent(_ share: Double) -> String {
    "\(Int((min(1, max(0, share)) * 100).rounded())) %"
  }
}
