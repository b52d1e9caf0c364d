import Glibc
package import PluginStorage

/// The files of a model on their way in; removed when the object goes.
package final class IncomingModel: Sendable {
  /// Where they are.
  package let folder: ModelFolder
  // The clean-up of another generation of the plugin passes a locked folder over.
  private let lock: FolderLock

  init(_ folder: ModelFolder, _ lock: FolderLock) {
    self.folder = folder
    self.lock = lock
  }

  deinit {
    // What cannot be removed now, the next start removes.
    try? Folder.remove(folder.path)
  }

  /// Makes one of the files, which must not be there yet.
  package func create(_ file: ModelFolder.File) throws(StorageError) -> OpenFile {
    try OpenFile(path: folder.path(of: file), flags: O_WRONLY | O_CREAT | O_EXCL)
  }
}
