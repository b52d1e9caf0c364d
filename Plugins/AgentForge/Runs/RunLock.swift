import Glibc
package import PluginStorage
import Synchronization

/// The right to work on one run; ends with this value, also when the process is killed.
///
/// A file's lock, so that it also counts between two generations of the plugin, in one process or in two.
package final class RunLock: Sendable {
  private let file: OpenFile
  private let path: String
  private let isReleased = Atomic<Bool>(false)

  /// Takes the right to `run`; `nil` when someone has it.
  ///
  /// - Parameters:
  ///   - directory: Where lock files are.
  ///   - run: A run's id.
  /// - Throws: `StorageError`.
  package init?(_ directory: String, _ run: String) throws(StorageError) {
    let path = directory + "/" + run + ".lock"
    let opened = try OpenFile(path: path, flags: O_RDWR | O_CREAT)
    // Between opening and locking, the one before may have removed the file; its lock is worth nothing then.
    guard opened.lockIfFree(), try opened.hasName() else { return nil }
    self.path = path
    file = opened
  }

  deinit { release() }

  /// Gives the right back; once is enough.
  package func release() {
    guard !isReleased.exchange(true, ordering: .acquiringAndReleasing) else { return }
    // Removed while it is still locked, so that nobody locks a file that is about to go.
    _ = unsafe unlink(path)
    flock(file.descriptor, LOCK_UN)
  }
}
