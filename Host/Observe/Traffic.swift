import Synchronization

/// Counts of one loop's answers, read by whoever asks for metrics.
package final class Traffic: Sendable {
  private let informational = Atomic<Int>(0)
  private let success = Atomic<Int>(0)
  private let redirection = Atomic<Int>(0)
  private let clientError = Atomic<Int>(0)
  private let serverError = Atomic<Int>(0)

  package init() {}

  /// Counts one answer.
  package func count(status: UInt16) {
    switch status / 100 {
    case 1: informational.add(1, ordering: .relaxed)
    case 2: success.add(1, ordering: .relaxed)
    case 3: redirection.add(1, ordering: .relaxed)
    case 4: clientError.add(1, ordering: .relaxed)
    default: serverError.add(1, ordering: .relaxed)
    }
  }

  /// Answers so far by class of status: `1xx` … `5xx`.
  package var byClass: [(name: String, count: Int)] {
    [
      ("1xx", informational.load(ordering: .relaxed)),
      ("2xx", success.load(ordering: .relaxed)),
      ("3xx", redirection.load(ordering: .relaxed)),
      ("4xx", clientError.load(ordering: .relaxed)),
      ("5xx", serverError.load(ordering: .relaxed)),
    ]
  }
}
