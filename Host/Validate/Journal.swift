import Glibc
import Wire

/// What a test's child tells its parent: the step that begins, and at last the outcome.
///
/// A line each, so that after a crash the last step is known.
final class Journal: Sendable {
  /// Sentences of one failed test that are reported; more are counted.
  private static let maxSentences = 12

  private let output: CInt

  init(output: CInt) { self.output = output }

  /// Says what the plugin is asked to do now.
  func step(_ text: String) { write(["step": .string(text)]) }

  /// Says how the test ended.
  func end(_ verdict: TestOutcome.Verdict, _ sentences: [String]) {
    var shown: [String] = []
    for sentence in sentences where !shown.contains(sentence) { shown.append(sentence) }
    if shown.count > Self.maxSentences {
      let more = shown.count - Self.maxSentences
      shown = Array(shown.prefix(Self.maxSentences)) + ["… and \(more) more of the kind."]
    }
    write([
      "verdict": .string(verdict.rawValue),
      "sentences": .array(shown.map { .string($0) }),
    ])
  }

  private func write(_ line: JSON) {
    // Without a parent nobody is left to tell.
    try? Directory.writeAll(output, (line.bytes + [0x0A])[...])
  }

  /// Reads what a child wrote.
  ///
  /// - Parameter bytes: Perhaps cut off.
  /// - Returns: The last step, and the outcome if there was one.
  static func read(_ bytes: [UInt8]) -> (
    step: String?, end: (verdict: TestOutcome.Verdict, sentences: [String])?
  ) {
    var step: String?
    for line in bytes.split(separator: 0x0A) {
      guard let json = try? JSON.parse(Array(line)) else { continue }
      if let text = json["step"]?.asString { step = text }
      if let verdict = json["verdict"]?.asString.flatMap(TestOutcome.Verdict.init) {
        return (step, (verdict, json["sentences"]?.asArray?.compactMap(\.asString) ?? []))
      }
    }
    return (step, nil)
  }
}
