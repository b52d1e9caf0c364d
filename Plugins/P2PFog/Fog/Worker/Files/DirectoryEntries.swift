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

    /// For people: bytes that are no UTF-8 are replaced, so that nothing can be opened by it.
    package var name: String
    /// As it stands there, ended by a zero: for calls.
    package var bytes: [CChar]
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

  /// Opens a folder that was found within another.
  ///
  /// - Parameters:
  ///   - entry: Of `folder`.
  ///   - folder: Where it stands.
  /// - Throws: `StorageError`, also when it is no folder any more.
  package init(
    _ entry: Entry,
    in folder: borrowing DirectoryEntries
  ) throws(StorageError) {
    try self.init(adopting: unsafe openat(folder.descriptor, entry.bytes, Self.flags))
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
      // Kept as bytes: a program may choose names that are no UTF-8, and such files count, and go, as all others.
      let bytes = unsafe withUnsafePointer(to: &entry.pointee.d_name) { name in
        let first = unsafe UnsafeRawPointer(name).assumingMemoryBound(to: CChar.self)
        return unsafe Array(UnsafeBufferPointer(start: first, count: strlen(first) + 1))
      }
      let name = String(decoding: bytes.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
      var status = stat()
      guard name != ".", name != "..",
        unsafe fstatat(descriptor, bytes, &status, AT_SYMLINK_NOFOLLOW) == 0
      else { continue }
      let kind: Entry.Kind =
        switch status.st_mode & S_IFMT {
        case S_IFREG: .file
        case S_IFDIR: .folder
        default: .other
        }
      return Entry(
        name: name,
        bytes: bytes,
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
