import Glibc
import PluginStorage

/// A folder that this process alone writes into, until the object goes.
final class FolderLock: Sendable {
  private let folder: OpenFile

  /// Locks `path`; `nil` when another has, or it is gone.
  init?(_ path: String) throws(StorageError) {
    do {
      folder = try OpenFile(path: path, flags: O_RDONLY | O_DIRECTORY)
    } catch {
      if case .system(_, ENOENT) = error { return nil }
      throw error
    }
    guard folder.lockIfFree(), try folder.hasName() else { return nil }
  }
}
