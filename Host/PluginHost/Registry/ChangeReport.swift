package import Wire

/// What one change to the running plugins did: a load, a swap, a stop, step by step.
package struct ChangeReport: Sendable, Equatable {
  package enum Outcome: String, Sendable {
    /// The plugin is now as it was asked to be.
    case done
    /// It was so already.
    case unchanged
    /// Nothing changed for clients; `message` says why.
    case failed
  }

  /// One step, in the order they were taken.
  package struct Step: Sendable, Equatable {
    /// A word or two.
    ///
    /// In their order: `copy`, `probe`, `load`, `create`, `jobs`, `hold`, `state`, `activate`, `switch`; later, when
    /// the generation before is over: `probation`, `drain`, `unload`.
    package var name: String
    package var duration: Duration
    /// What was found or waited for; empty when there is nothing to say.
    package var detail: String
    package var hasFailed: Bool

    /// The step as a few words.
    package var text: String {
      let milliseconds = "\(name) \(Double(duration.nanoseconds / 1_000) / 1_000) ms"
      return detail.isEmpty ? milliseconds : "\(milliseconds) (\(detail))"
    }

    package init(name: String, duration: Duration, detail: String = "", hasFailed: Bool = false) {
      self.name = name
      self.duration = duration
      self.detail = detail
      self.hasFailed = hasFailed
    }
  }

  /// What was asked for: `load`, `reload`, `enable`, `disable`, or `back` when the host goes back by itself.
  package var change: String
  /// The plugin's id, or the name of its file when no id is known.
  package var plugin: String
  package var outcome: Outcome
  /// The generations before and after; `nil` when none served.
  package var generationBefore: UInt32?
  package var generationAfter: UInt32?
  package var steps: [Step] = []
  /// One or two sentences for the operator.
  package var message: String
  /// Whether it failed because there is no such plugin.
  package var isUnknown = false

  package init(change: String, plugin: String, outcome: Outcome, message: String) {
    self.change = change
    self.plugin = plugin
    self.outcome = outcome
    self.message = message
  }

  /// The report as a JSON object; durations are in milliseconds.
  package var json: JSON {
    [
      "change": .string(change),
      "plugin": .string(plugin),
      "outcome": .string(outcome.rawValue),
      "generation_before": generationBefore.map { .integer(Int64($0)) } ?? .null,
      "generation_after": generationAfter.map { .integer(Int64($0)) } ?? .null,
      "message": .string(message),
      "steps": .array(
        steps.map { step in
          [
            "name": .string(step.name),
            "milliseconds": .number(
              Double(step.duration.nanoseconds / 1_000) / 1_000
            ),
            "detail": .string(step.detail),
            "failed": .bool(step.hasFailed),
          ]
        }
      ),
    ]
  }
}
