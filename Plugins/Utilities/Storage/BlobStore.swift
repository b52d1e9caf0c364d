import Glibc
package import PluginStorage

/// File contents, stored once under their SHA-256.
///
/// `<directory>/blobs/ab/cdef…` holds what is stored, `<directory>/incoming/` what is still arriving.
package struct BlobStore: Sendable {
  package let directory: String
  private var blobs: String { directory + "/blobs" }
  private var incoming: String { directory + "/incoming" }

  /// Makes the folders and removes what a crash left half-received.
  package init(directory: String) throws(StorageError) {
    self.directory = directory
    try Folder.make(directory)
    try Folder.make(directory + "/blobs")
    try Folder.make(directory + "/incoming")
    try removeLeftovers()
  }

  /// Begins to receive content.
  package func receive() throws(StorageError) -> IncomingBlob {
    for _ in 0..<4 {
      let name = UUID4.make()
      let path = incoming + "/" + name
      let file = try OpenFile(path: path, flags: O_RDWR | O_CREAT | O_EXCL)
      // The lock tells the clean-up of a later generation that this file is in use. One that came
      // between making and locking has removed it already; then another is made.
      if file.lockIfFree(), try file.hasName() {
        return IncomingBlob(file: file, path: path, name: name)
      }
      _ = unsafe unlink(path)
    }
    throw .busy
  }

  /// Whether the incoming file `name` is still held by an upload of this or another generation.
  package func isHeld(incoming name: String) -> Bool {
    // What cannot be opened is gone, and held by nobody.
    guard let file = try? OpenFile(path: incoming + "/" + name, flags: O_RDONLY) else {
      return false
    }
    return !file.lockIfFree()
  }

  /// Moves finished content to its place, durably; content that is there already stays as it is.
  ///
  /// Call inside the write transaction that records it: `remove` runs in one as well, so the two never meet.
  package func place(_ blob: inout IncomingBlob, sha256: String) throws(StorageError) {
    let folder = blobs + "/" + sha256.prefix(2)
    let path = self.path(of: sha256)
    if unsafe access(path, F_OK) == 0 {
      blob.discard()
      return
    }
    try Folder.make(folder)
    try Folder.rename(blob.path, path)
    blob.isPlaced = true
    try Folder.synchronize(folder)
    try Folder.synchronize(blobs)
  }

  /// Opens stored content for reading.
  package func open(sha256: String) throws(StorageError) -> OpenFile {
    try OpenFile(path: path(of: sha256), flags: O_RDONLY)
  }

  /// Removes content; absent content is no error.
  package func remove(sha256: String) throws(StorageError) {
    try Folder.removeFile(path(of: sha256))
  }

  /// Bytes a further upload may use, and the size of the file system.
  package func space() throws(StorageError) -> (free: Int, total: Int) {
    try Folder.space(directory)
  }

  private func path(of sha256: String) -> String {
    "\(blobs)/\(sha256.prefix(2))/\(sha256.dropFirst(2))"
  }

  private func removeLeftovers() throws(StorageError) {
    for name in try Folder.names(incoming) {
      // While the plugin is replaced, uploads of the old generation still hold their files.
      guard UUID4.isWellFormed(name), !isHeld(incoming: name) else { continue }
      _ = unsafe unlink(incoming + "/" + name)
    }
  }
}

/// Content on its way in: hashed and written as it comes, removed unless it is placed.
package struct IncomingBlob: ~Copyable, Sendable {
  package let path: String
  package let name: String
  package private(set) var size = 0
  fileprivate(set) var isPlaced = false
  private let file: OpenFile
  private var hash = SHA256()

  fileprivate init(file: consuming OpenFile, path: String, name: String) {
    self.path = path
    self.name = name
    self.file = file
  }

  deinit {
    if !isPlaced { _ = unsafe unlink(path) }
  }

  package mutating func append(_ bytes: Span<UInt8>) throws(StorageError) {
    try file.write(bytes)
    hash.update(bytes)
    size += bytes.count
  }

  /// Brings the bytes to the disk and gives their SHA-256; nothing may be appended after it.
  package mutating func finish() throws(StorageError) -> String {
    try file.synchronize()
    return hash.finish()
  }

  /// The first `limit` bytes, for looking inside.
  package func withContents<Value>(
    limit: Int,
    _ body: (Span<UInt8>) throws(StorageError) -> Value
  ) throws(StorageError) -> Value {
    try file.withContents(limit: limit, body)
  }

  fileprivate mutating func discard() {
    _ = unsafe unlink(path)
    isPlaced = true
  }
}
