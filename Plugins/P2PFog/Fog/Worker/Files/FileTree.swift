import Glibc
package import PluginStorage

/// Folders with what is in them, of any shape that a stranger's program can make.
package enum FileTree {
  /// Folders within folders that are looked into.
  package static let maxDepth = 64
  /// Files and folders of a tree.
  package static let maxEntries = 100_000

  /// What a tree takes.
  package struct Use: Sendable, Equatable {
    package var bytes = 0
    package var entries = 0
    /// Folders stand deeper than `maxDepth`, where nobody looks.
    package var isTooDeep = false
    /// A folder forbids to look into it.
    package var isClosed = false

    package init() {}
  }

  /// What a tree takes on the disk.
  ///
  /// - Parameter path: Its folder.
  /// - Returns: The sum; it ends at `maxEntries` and one more.
  /// - Throws: `StorageError` when the folder itself cannot be read.
  package static func use(_ path: String) throws(StorageError) -> Use {
    var use = Use()
    var folder = try DirectoryEntries(path: path)
    add(&folder, to: &use, depth: 0)
    return use
  }

  private static func add(
    _ folder: inout DirectoryEntries,
    to use: inout Use,
    depth: Int
  ) {
    while use.entries <= maxEntries, let entry = folder.next() {
      use.entries += 1
      use.bytes += entry.onDisk
      guard entry.kind == .folder else { continue }
      guard depth < maxDepth else {
        use.isTooDeep = true
        continue
      }
      do throws(StorageError) {
        var inner = try DirectoryEntries(entry, in: folder)
        add(&inner, to: &use, depth: depth + 1)
      } catch {
        // Removed meanwhile, or hidden; the superuser is never forbidden to look.
        if error == .system(call: "open", code: EACCES) { use.isClosed = true }
      }
    }
  }

  /// Makes a tree that this process has made itself another user's; for the superuser.
  ///
  /// - Parameters:
  ///   - path: Its folder.
  ///   - user: The user, and the group of the same number.
  /// - Throws: `StorageError`.
  package static func give(_ path: String, to user: Int) throws(StorageError) {
    guard unsafe lchown(path, uid_t(user), gid_t(user)) == 0 else { throw .last("lchown") }
    var folder = try DirectoryEntries(path: path)
    try give(&folder, to: user)
  }

  private static func give(
    _ folder: inout DirectoryEntries,
    to user: Int
  ) throws(StorageError) {
    while let entry = folder.next() {
      let code = unsafe fchownat(
        folder.descriptor,
        entry.bytes,
        uid_t(user),
        gid_t(user),
        AT_SYMLINK_NOFOLLOW
      )
      guard code == 0 else { throw .last("fchownat") }
      guard entry.kind == .folder else { continue }
      var inner = try DirectoryEntries(entry, in: folder)
      try give(&inner, to: user)
    }
  }

  /// Removes a folder and all in it; nobody may write there any more.
  ///
  /// A folder within it is first moved to the top: so neither the depth of a tree nor the length of its paths matter, and
  /// two descriptors suffice.
  ///
  /// - Parameter path: The folder; it need not be there.
  /// - Throws: `StorageError`.
  package static func remove(_ path: String) throws(StorageError) {
    var top: DirectoryEntries
    do { top = try DirectoryEntries(path: path) } catch .system(_, ENOENT) { return }
    var number = 0
    while let entry = top.next() {
      if entry.kind == .folder {
        try empty(entry, in: top, &number)
        // What was moved up stands behind or before this place; the folder is read until nothing is found.
        if number > 0 { top.rewind() }
        number = 0
      } else {
        guard unsafe unlinkat(top.descriptor, entry.bytes, 0) == 0 else { throw .last("unlinkat") }
      }
    }
    guard unsafe rmdir(path) == 0 else { throw .last("rmdir") }
  }

  /// Empties and removes a folder of `top`; its own folders become ones of `top`.
  private static func empty(
    _ place: DirectoryEntries.Entry,
    in top: borrowing DirectoryEntries,
    _ number: inout Int
  ) throws(StorageError) {
    // Its owner may have taken away its own right to read.
    _ = unsafe fchmodat(top.descriptor, place.bytes, 0o700, 0)
    do {
      var folder = try DirectoryEntries(place, in: top)
      while let entry = folder.next() {
        if entry.kind == .folder {
          _ = unsafe fchmodat(folder.descriptor, entry.bytes, 0o700, 0)
          let moved = "up-\(UUID4.make())"
          guard unsafe renameat(folder.descriptor, entry.bytes, top.descriptor, moved) == 0 else {
            throw .last("renameat")
          }
          number += 1
        } else {
          guard unsafe unlinkat(folder.descriptor, entry.bytes, 0) == 0 else {
            throw .last("unlinkat")
          }
        }
      }
    }
    guard unsafe unlinkat(top.descriptor, place.bytes, AT_REMOVEDIR) == 0 else {
      throw .last("unlinkat")
    }
  }
}
