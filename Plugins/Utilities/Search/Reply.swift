/// What was found for a question.
package struct Reply: Sendable, Equatable {
  /// A passage that bears on the question.
  package struct Source: Sendable, Equatable {
    package var hit: SearchIndex.Hit
    /// 0...1.
    package var relevance: Double
    /// The part of the passage that bears on it most.
    package var excerpt: String
  }

  /// Sentences of the sources, word for word, each run followed by its source's number as `[1]`.
  package var answer: String
  /// The same without the numbers.
  package var answerWithoutNumbers: String
  /// The best first.
  package var sources: [Source]
  /// 0...1; 0 exactly when nothing was found.
  package var confidence: Double
  package var explanation: String

  /// What is said when no passage bears on the question.
  static func nothing(because reason: String) -> Reply {
    let text = "Nothing in your documents answers this question."
    return Reply(
      answer: text,
      answerWithoutNumbers: text,
      sources: [],
      confidence: 0,
      explanation: reason
    )
  }
}
