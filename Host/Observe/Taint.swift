import Synchronization

/// What was loaded in spite of its signature.
///
/// Code of that kind has run in this process and may have changed anything in it, so nothing is ever taken back: a good
/// build of the same plugin, or switching it off, does not make the process trustworthy again. It is the process that is
/// tainted: one that takes its place, after a crash or an upgrade, is so once it forces a load itself.
package final class Taint: Sendable {
  private let reasons = Mutex<[String: String]>([:])

  package init() {}

  /// The plugins, by id, each with the last reason.
  package var plugins: [String: String] { reasons.withLock { $0 } }

  /// Notes that `plugin` was loaded although `reason`.
  package func add(_ plugin: String, reason: String) { reasons.withLock { $0[plugin] = reason } }
}
