/// Runs the tests of a library, each in a child process, and says how they ended.
package struct ValidatorRun: Sendable {
  private let order: CheckOrder
  private let binary: String

  /// Describes a run.
  ///
  /// - Parameters:
  ///   - order: What to test, and how.
  ///   - binary: The gateway's own.
  package init(_ order: CheckOrder, binary: String = "/proc/self/exe") {
    self.order = order
    self.binary = binary
  }

  /// Runs the tests.
  ///
  /// - Parameter report: Called with each outcome as it is known.
  /// - Returns: All outcomes.
  /// - Throws: `SystemError` when nothing could be tried at all.
  package func run(_ report: (TestOutcome) -> Void) throws(SystemError) -> [TestOutcome] {
    let directory = try ChildProcess.temporaryDirectory()
    defer { Directory.removeAll(directory) }
    let stage = try GenerationStage(dataDirectory: directory)
    let copy = try stage.copy(order.file, label: "checked")
    try FileBytes.write(order.settings, to: "\(directory)/settings.json")
    var outcomes: [TestOutcome] = []
    /// What did not pass, or was left out for that, by the test that is to blame.
    var unmet: [String: String] = [:]
    for test in ValidatorTest.all where order.only.isEmpty || order.only.contains(test.name) {
      let missing = test.needs.compactMap { unmet[$0] }.first
      let outcome: TestOutcome
      if let missing {
        let reason = "says nothing before \(missing) passes"
        unmet[test.name] = missing
        outcome = TestOutcome(test: test.name, verdict: .skipped, sentences: [reason])
      } else {
        outcome = try self.outcome(of: test, copy.path, in: directory)
      }
      if outcome.verdict == .failed { unmet[test.name] = test.name }
      report(outcome)
      outcomes.append(outcome)
    }
    return outcomes
  }

  /// Names and purposes of all tests, a line each.
  package static var list: String {
    ValidatorTest.all.map { test in
      test.name + String(repeating: " ", count: max(22 - test.name.count, 1)) + test.catches
    }.joined(separator: "\n")
  }

  /// Names of all tests.
  package static var names: [String] { ValidatorTest.all.map(\.name) }

  private func outcome(
    of test: ValidatorTest,
    _ library: String,
    in directory: String
  ) throws(SystemError) -> TestOutcome {
    let place = "\(directory)/\(test.name)"
    try Directory.make(place)
    defer { Directory.removeAll(place) }
    let began = MonotonicClock.now
    // Settings go by file: they may hold secrets, and arguments are seen by everyone on the machine.
    let (bytes, end) = try ChildProcess.run(
      binary,
      [
        binary, ValidatorChild.verb, test.name, library, place, "\(directory)/settings.json",
        "\(order.seed)", "\(order.answerTime.nanoseconds)",
      ],
      limit: test.limit
    )
    var outcome = Self.outcome(of: test, bytes, end)
    outcome.milliseconds = Int((MonotonicClock.now - began) / 1_000_000)
    return outcome
  }

  private static func outcome(
    of test: ValidatorTest,
    _ bytes: [UInt8],
    _ end: ChildProcess.End
  ) -> TestOutcome {
    let (step, report) = Journal.read(bytes)
    let place = step.map { " while \($0)" } ?? ""
    func failed(_ sentences: [String]) -> TestOutcome {
      TestOutcome(test: test.name, verdict: .failed, sentences: sentences)
    }
    let found = report.map { $0.verdict == .failed ? $0.sentences : [] } ?? []
    switch end {
    case .crashed(let signal):
      let name = ChildProcess.signalName(signal)
      return failed(found + ["The plugin crashed (\(name))\(place)."])
    case .hung:
      return failed(found + ["The plugin hangs: the test took longer than \(test.limit)\(place)."])
    case .exited(let status):
      guard let report else {
        return failed(["The plugin ended the process (\(ChildProcess.endWords(status)))\(place)."])
      }
      return TestOutcome(
        test: test.name,
        verdict: report.verdict,
        sentences: report.sentences
      )
    }
  }
}
