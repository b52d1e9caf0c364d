package import Wire

/// What became of one test.
package struct TestOutcome: Sendable, Equatable {
  package enum Verdict: String, Sendable { case passed, failed, skipped }

  /// The test's name.
  package let test: String
  package let verdict: Verdict
  /// What is wrong and what to do, a sentence each; of a test that has not failed, what there is to say.
  package let sentences: [String]
  package var milliseconds = 0

  package init(test: String, verdict: Verdict, sentences: [String]) {
    self.test = test
    self.verdict = verdict
    self.sentences = sentences
  }

  /// The outcome for programs.
  package var json: JSON {
    [
      "test": .string(test), "result": .string(verdict.rawValue),
      "sentences": .array(sentences.map { .string($0) }),
      "milliseconds": .integer(Int64(milliseconds)),
    ]
  }

  /// The outcome for people: a line, and one more for each further sentence.
  package var text: String {
    let mark =
      switch verdict {
      case .passed: "pass"
      case .failed: "FAIL"
      case .skipped: "skip"
      }
    let name = test + String(repeating: " ", count: max(20 - test.count, 0))
    guard verdict == .failed else {
      return "\(mark)  \(name)  \(sentences.joined(separator: " "))".trimmedEnd
    }
    let indent = "\n" + String(repeating: " ", count: 28)
    return "\(mark)  \(name)  \(sentences.joined(separator: indent))"
  }
}

extension String {
  fileprivate var trimmedEnd: String {
    var text = self[...]
    while text.last == " " { text.removeLast() }
    return String(text)
  }
}
