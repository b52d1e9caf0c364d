/// How a job ended on this node.
package struct LeaseResult: Sendable, Equatable {
  package enum Outcome: String, Sendable {
    case succeeded, failed, cancelled
  }

  /// A file of the result.
  package struct Output: Sendable, Equatable {
    /// As the submitter sees it: relative, without `..`.
    package var path: String
    /// Where it is read here: a folder that is opened without following links, then names within it.
    package var folder: String
    package var names: [String]
    package var size: Int

    package init(path: String, folder: String, names: [String], size: Int) {
      self.path = path
      self.folder = folder
      self.names = names
      self.size = size
    }
  }

  package var outcome: Outcome
  package var exitCode: Int?
  /// Why it failed: `time: …`, `memory: …`, `disk: …`, `output: …`, `exit: …`, `bundle: …`, or `node: …` for what is no
  /// fault of the job's.
  package var reason: String
  package var usage: Usage
  package var outputs: [Output] = []

  package init(
    _ outcome: Outcome,
    exitCode: Int? = nil,
    reason: String = "",
    usage: Usage = Usage(),
    outputs: [Output] = []
  ) {
    self.outcome = outcome
    self.exitCode = exitCode
    self.reason = reason
    self.usage = usage
    self.outputs = outputs
  }
}
