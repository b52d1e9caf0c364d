import Glibc
package import Peering
package import PluginStorage

/// The file that makes this gateway the peer it is: 32 bytes, readable by its user alone.
package enum IdentityFile {
  /// Reads the identity, and makes one where there is none yet.
  ///
  /// - Parameter path: Of the file; its folder exists.
  /// - Returns: The identity, which is on the disk.
  /// - Throws: `StorageError`; a file of another size is not touched and is `cannotOpen`.
  package static func load(_ path: String) throws(StorageError) -> Identity {
    if let found = try read(path) { return found }
    let identity = Identity.random()
    let staged = "\(path).\(UUID4.make())"
    // On a disk that is full too: no secret is left lying about.
    defer { _ = unsafe unlink(staged) }
    do {
      let file = try OpenFile(path: staged, flags: O_WRONLY | O_CREAT | O_EXCL)
      try file.write(identity.seed.span)
      try file.synchronize()
    }
    // Linked, not renamed: of two generations that begin at once the first one's file stays.
    let linked = unsafe link(staged, path) == 0 || errno == EEXIST
    let code = errno
    guard linked else { throw .system(call: "link", code: code) }
    if let slash = path.lastIndex(of: "/") { try Folder.synchronize(String(path[..<slash])) }
    guard let stored = try read(path) else {
      throw .cannotOpen(path: path, reason: "it has just gone")
    }
    return stored
  }

  private static func read(_ path: String) throws(StorageError) -> Identity? {
    do throws(StorageError) {
      let file = try OpenFile(path: path, flags: O_RDONLY)
      let size = try file.size()
      guard size == Ed25519.seedSize else {
        throw StorageError.cannotOpen(
          path: path,
          reason: "it has \(size) bytes, not \(Ed25519.seedSize)"
        )
      }
      return Identity(seed: try file.read(at: 0, count: size))
    } catch StorageError.system(_, ENOENT) {
      return nil
    }
  }
}
