import Glibc
package import PluginStorage

/// Answers questions from what an owner has uploaded.
package struct QueryEngine: Sendable {
  package struct Request: Sendable {
    package var query: String
    package var mode: QueryMode
    package var maxResults: Int
    package var filter: SearchIndex.Filter
    /// Passages of less relevance are left out.
    package var leastRelevance: Double
    /// The model that is to phrase the answer as well; the search does not ask it.
    package var model: String?

    package init(
      query: String,
      mode: QueryMode = .comprehensive,
      maxResults: Int = 10,
      filter: SearchIndex.Filter,
      leastRelevance: Double = 0,
      model: String? = nil
    ) {
      self.query = query
      self.mode = mode
      self.maxResults = maxResults
      self.filter = filter
      self.leastRelevance = leastRelevance
      self.model = model
    }
  }

  private struct Ranked {
    var hit: SearchIndex.Hit
    var score: Ranking.Score
  }

  /// How long the index may be searched for one question, in nanoseconds.
  static let searchTime: UInt64 = 10_000_000_000

  let database: Database

  package init(database: Database) { self.database = database }

  /// The answer; `timedOut` when the index is too large for the question.
  package func answer(_ request: Request) throws(StorageError) -> Reply {
    let question = Question(request.query)
    guard !question.terms.isEmpty else {
      return .nothing(because: "The question has no word to look for.")
    }
    let deadline = Clock.monotonic() + Self.searchTime
    return try database.read(until: deadline) { (connection) throws(StorageError) in
      try answer(request, question, &connection)
    }
  }

  private func answer(
    _ request: Request,
    _ question: Question,
    _ connection: inout Connection
  ) throws(StorageError) -> Reply {
    let plan = request.mode.plan
    let size = try SearchIndex.size(owner: request.filter.owner, &connection)
    guard size > 0 else {
      return .nothing(because: "You have no indexed documents.")
    }
    let asked = try weighted(question.terms, size, request.filter.owner, &connection)
    var ranking = Ranking(
      asked: asked,
      added: [],
      phrases: question.phrases,
      matchesBeginnings: plan.matchesBeginnings
    )
    let hits = try candidates(question, plan, request.filter, &connection)
    var ranked = rank(hits, ranking, least: plan.leastCoverage)
    if plan.addedTerms > 0, !ranked.isEmpty {
      let added = try feedback(ranked, ranking, plan, size, request.filter.owner, &connection)
      if !added.isEmpty {
        ranking = Ranking(
          asked: asked,
          added: added,
          phrases: question.phrases,
          matchesBeginnings: plan.matchesBeginnings
        )
        let wider =
          expression(question, plan, allOf: false) + " OR "
          + Question.expression(added.map(\.term), allOf: false)
        let more = try SearchIndex.search(
          wider,
          request.filter,
          limit: plan.candidates,
          &connection
        )
        ranked = rank(hits + more, ranking, least: plan.leastCoverage)
      }
    }
    ranked = Array(
      ranked.filter { $0.score.relevance >= request.leastRelevance }.prefix(request.maxResults)
    )
    guard !ranked.isEmpty else { return .nothing(because: reason(hits, ranking, plan)) }
    return try reply(ranked, ranking, plan, &connection)
  }

  // MARK: - Finding

  private func weighted(
    _ terms: [Terms.Term],
    _ size: Int,
    _ owner: String,
    _ connection: inout Connection
  ) throws(StorageError) -> [Ranking.Weighted] {
    var weighted: [Ranking.Weighted] = []
    for term in terms {
      let found = try SearchIndex.frequency(of: term, owner: owner, &connection)
      weighted.append(Ranking.Weighted(term: term, weight: Self.weight(found, of: size)))
    }
    return weighted
  }

  /// Inverse document frequency; a word that occurs nowhere counts as one that occurs once.
  private static func weight(_ found: Int, of size: Int) -> Double {
    let found = Double(max(1, found))
    return log(1 + (Double(max(size, 1)) - found + 0.5).magnitude / (found + 0.5))
  }

  private func expression(_ question: Question, _ plan: QueryMode.Plan, allOf: Bool) -> String {
    let words = Question.expression(
      question.terms,
      allOf: allOf,
      beginnings: plan.matchesBeginnings
    )
    // Phrases and neighbours match nothing more, and bring what holds them to the front.
    let phrases = question.phrases.map {
      Question.quoted($0.map(\.word).joined(separator: " "))
    }
    let pairs = zip(question.terms, question.terms.dropFirst()).prefix(8).map {
      "NEAR(\(Question.quoted($0.word)) \(Question.quoted($1.word)), 8)"
    }
    return allOf ? words : ([words] + phrases + pairs).joined(separator: " OR ")
  }

  private func candidates(
    _ question: Question,
    _ plan: QueryMode.Plan,
    _ filter: SearchIndex.Filter,
    _ connection: inout Connection
  ) throws(StorageError) -> [SearchIndex.Hit] {
    if plan.requiresAll {
      let strict = try SearchIndex.search(
        expression(question, plan, allOf: true),
        filter,
        limit: plan.candidates,
        &connection
      )
      if !strict.isEmpty { return strict }
    }
    return try SearchIndex.search(
      expression(question, plan, allOf: false),
      filter,
      limit: plan.candidates,
      &connection
    )
  }

  private func rank(
    _ hits: [SearchIndex.Hit],
    _ ranking: Ranking,
    least: Double
  ) -> [Ranked] {
    var seen: Set<String> = []
    var ranked: [Ranked] = []
    // The same text uploaded twice is one source.
    for hit in hits where seen.insert(hit.passage.body).inserted {
      let score = ranking.score(heading: hit.heading, body: hit.passage.body)
      if score.coverage + 0.4 * score.addedCoverage >= least {
        ranked.append(Ranked(hit: hit, score: score))
      }
    }
    return ranked.sorted { one, other in
      if one.score.relevance != other.score.relevance {
        return one.score.relevance > other.score.relevance
      }
      return (one.hit.file, one.hit.passage.ordinal) < (other.hit.file, other.hit.passage.ordinal)
    }
  }

  /// Words that the best passages share and the question lacks (pseudo-relevance feedback, RM3).
  private func feedback(
    _ ranked: [Ranked],
    _ ranking: Ranking,
    _ plan: QueryMode.Plan,
    _ size: Int,
    _ owner: String,
    _ connection: inout Connection
  ) throws(StorageError) -> [Ranking.Weighted] {
    var mass: [String: (term: Terms.Term, mass: Double)] = [:]
    for one in ranked.prefix(4) {
      let terms = Terms.all(in: one.hit.passage.body)
      for term in terms
      where term.word.utf8.count > 3 && !Terms.stopWords.contains(term.word)
        && ranking.place(of: term.stem) == nil
      {
        mass[term.stem, default: (term, 0)].mass +=
          one.score.relevance / Double(max(terms.count, 40))
      }
    }
    let likely = mass.values.sorted {
      $0.mass == $1.mass ? $0.term.stem < $1.term.stem : $0.mass > $1.mass
    }
    var added: [(weighted: Ranking.Weighted, worth: Double)] = []
    for one in likely.prefix(plan.addedTerms * 3) {
      let found = try SearchIndex.frequency(of: one.term, owner: owner, &connection)
      let weight = Self.weight(found, of: size)
      added.append((Ranking.Weighted(term: one.term, weight: weight), one.mass * weight))
    }
    return added.sorted { $0.worth > $1.worth }.prefix(plan.addedTerms).map(\.weighted)
  }

  // MARK: - Answering

  private func reply(
    _ ranked: [Ranked],
    _ ranking: Ranking,
    _ plan: QueryMode.Plan,
    _ connection: inout Connection
  ) throws(StorageError) -> Reply {
    let composer = AnswerComposer(ranking: ranking)
    var texts: [(heading: String, body: String, relevance: Double)] = []
    for one in ranked.prefix(plan.answerPassages) {
      var body = one.hit.passage.body
      if plan.neighbours > 0 {
        let at = one.hit.passage.ordinal
        let around = max(0, at - plan.neighbours)...(at + plan.neighbours)
        body = try SearchIndex.passages(file: one.hit.file, around, &connection)
          .map(\.passage.body).joined(separator: "\n")
      }
      texts.append((one.hit.heading, body, one.score.relevance))
    }
    let answer = composer.compose(texts, sentences: plan.answerSentences)
    let sources = ranked.map {
      Reply.Source(
        hit: $0.hit,
        relevance: min(1, $0.score.relevance),
        excerpt: composer.excerpt(heading: $0.hit.heading, body: $0.hit.passage.body)
      )
    }
    let confidence = Confidence(ranked.map(\.score), ranking, plan)
    return Reply(
      answer: answer.numbered,
      answerWithoutNumbers: answer.plain,
      sources: sources,
      confidence: confidence.value,
      explanation: confidence.explanation
    )
  }

  private func reason(
    _ hits: [SearchIndex.Hit],
    _ ranking: Ranking,
    _ plan: QueryMode.Plan
  ) -> String {
    guard !hits.isEmpty else { return "No passage holds any of the question's words." }
    return """
      \(hits.count) passages hold some of the question's words, none enough of them: this mode \
      asks for \(Confidence.percent(plan.leastCoverage)) of their weight.
      """
  }
}
