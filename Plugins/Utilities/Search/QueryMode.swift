/// How far a question is pursued.
///
/// | | fast | balanced | comprehensive | creative | analytical |
/// |---|---|---|---|---|---|
/// | candidates read from the index | 20 | 60 | 150 | 200 | 150 |
/// | words of the question a passage needs | all; any if none has all | any | any | any, also as beginnings | any |
/// | least weight of the question covered | 0.50 | 0.34 | 0.25 | 0.12 | 0.25 |
/// | words added from the best passages | 0 | 0 | 6 | 12 | 0 |
/// | neighbours of a passage read along | 0 | 0 | 0 | 0 | 1 on each side |
/// | passages the answer draws on | 1 | 3 | 5 | 5 | 4 |
/// | sentences in the answer | 2 | 4 | 7 | 7 | 10 |
/// | confidence times | 1 | 1 | 1 | 0.9 | 1 |
package enum QueryMode: String, Sendable, CaseIterable {
  /// The one best passage, quickly.
  case fast
  /// The best few passages.
  case balanced
  /// More passages, also those that use the words the best ones use.
  case comprehensive
  /// The widest net, at the price of looser matches.
  case creative
  /// Fewer places, each with what stands around it.
  case analytical

  /// What a mode does, in numbers.
  package struct Plan: Sendable {
    package var candidates: Int
    package var requiresAll = false
    package var matchesBeginnings = false
    package var leastCoverage: Double
    package var addedTerms = 0
    package var neighbours = 0
    package var answerPassages: Int
    package var answerSentences: Int
    package var confidenceFactor = 1.0
  }

  package var plan: Plan {
    switch self {
    case .fast:
      Plan(
        candidates: 20,
        requiresAll: true,
        leastCoverage: 0.5,
        answerPassages: 1,
        answerSentences: 2
      )
    case .balanced:
      Plan(candidates: 60, leastCoverage: 0.34, answerPassages: 3, answerSentences: 4)
    case .comprehensive:
      Plan(
        candidates: 150,
        leastCoverage: 0.25,
        addedTerms: 6,
        answerPassages: 5,
        answerSentences: 7
      )
    case .creative:
      Plan(
        candidates: 200,
        matchesBeginnings: true,
        leastCoverage: 0.12,
        addedTerms: 12,
        answerPassages: 5,
        answerSentences: 7,
        confidenceFactor: 0.9
      )
    case .analytical:
      Plan(
        candidates: 150,
        leastCoverage: 0.25,
        neighbours: 1,
        answerPassages: 4,
        answerSentences: 10
      )
    }
  }
}
