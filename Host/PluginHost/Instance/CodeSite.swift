import CLinux
import Synchronization

/// What of a plugin the host calls, as a crash report names it.
package enum CodeStep: UInt32, Sendable, CaseIterable {
  case load = 1
  case create, restore, activate, quiesce, snapshot, destroy, selftest
  case request, body, cancel, writable, end
  case check, event, serve, called, job, tick, parallel
  case resume, interface

  /// The word for it.
  package var name: String { "\(self)" }
}

/// A place in a plugin's code; while the host is in there, the thread's mark says so.
///
/// The mark stands in memory that outlives the process, so that a supervisor can name the code whose crash ended it.
/// Any thread; takes no lock.
package final class CodeSite: Sendable {
  private let number: Atomic<UInt32>

  /// Names a place.
  ///
  /// - Parameters:
  ///   - plugin: The plugin's id.
  ///   - generation: 0 while there is none.
  ///   - label: A route, a check, a topic; empty for the plugin itself. Cut to 79 bytes.
  package init(plugin: String, generation: UInt32, label: String = "") {
    number = Atomic(unsafe linux_add_site(plugin, generation, label))
  }

  deinit { close() }

  /// Gives the place's room back: there are some thousands, and who holds the site may outlive the code.
  ///
  /// Nothing of the host is in there any more, or will be.
  func close() { linux_remove_site(number.exchange(0, ordering: .relaxed)) }

  /// What a thread in there is marked with; 0 when marks are not kept.
  ///
  /// - Parameter step: What is called there.
  /// - Returns: Valid until the site is closed.
  func mark(_ step: CodeStep) -> UInt64 {
    let number = number.load(ordering: .relaxed)
    return number == 0 ? 0 : UInt64(step.rawValue) << 32 | UInt64(number)
  }

  /// Calls into the plugin.
  ///
  /// - Parameters:
  ///   - step: What is called.
  ///   - body: The call.
  /// - Returns: What `body` gives.
  @inline(__always)
  func within<Result>(_ step: CodeStep, _ body: () -> Result) -> Result {
    let before = linux_enter_code(mark(step))
    defer { linux_leave_code(before) }
    return body()
  }
}
