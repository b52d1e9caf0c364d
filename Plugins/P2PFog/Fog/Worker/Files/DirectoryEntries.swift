import Glibc
package import PluginStorage

/// What stands in a folder that a stranger's program has written to: links are seen as links, never followed.
@safe package struct DirectoryEntries: ~Copyable {
  /// One name of a folder.
  package struct Entry: Sendable, Equatable {
    package enum Kind: Sendable, Equatable {
      case file, folder
      /// A link, a device, a pipe, a socket.
      case other
    }

    package var name: String
    package var kind: Kind
    /// Bytes of a file.
    package var size: Int
    /// Bytes that it takes on the disk.
    package var onDisk: Int
  }

  private let handle: OpaquePointer

  /// Opens a folder by a path that no stranger has made.
  ///
  /// - Parameter path: Absolute; a link in its last place is refused.
  /// - Throws: `StorageError`.
  package init(path: String) throws(StorageError) {
    try self.init(adopting: unsafe open(path, Self.flags))
  }

  /// Opens a folder within another.
  ///
  /// - Parameters:
  ///   - name: One name, no path.
  ///   - folder: Where it stands.
  /// - Throws: `StorageError`, also when the name is no folder.
  package init(
    _ name: String,
    in folder: borrowing DirectoryEntries
  ) throws(StorageError) {
    try self.init(adopting: unsafe openat(folder.descriptor, name, Self.flags))
  }

  private static let flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC

  private init(adopting descriptor: CInt) throws(StorageError) {
    guard descriptor >= 0 else { throw .last("open") }
    guard let opened = unsafe fdopendir(descriptor) else {
      let error = StorageError.last("fdopendir")
      close(descriptor)
      throw error
    }
    unsafe handle = opened
  }

  deinit { unsafe closedir(handle) }

  /// The folder, for calls that take a name beside it.
  package var descriptor: CInt { unsafe dirfd(handle) }

  /// The next name; `nil` after the last.
  ///
  /// - Returns: What stands under it; a name that has vanished meanwhile is passed over.
  package mutating func next() -> Entry? {
    while let entry = unsafe readdir(handle) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      var status = stat()
      guard name != ".", name != "..",
        unsafe fstatat(descriptor, name, &status, AT_SYMLINK_NOFOLLOW) == 0
      else { continue }
      let kind: Entry.Kind =
        switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .folder
        default: .other
        }
      return Entry(
        name: name,
        kind: kind,
        size: Int(status.st_size),
        onDisk: Int(status.st_blocks) * 512
      )
    }
    return nil
  }

  /// Begins again with the first name.
  package mutating func rewind() { unsafe rewinddir(handle) }
}
