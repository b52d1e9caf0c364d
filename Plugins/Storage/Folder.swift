import Glibc

/// Folders of a plugin's data directory.
package enum Folder {
  /// Makes `path`, readable by this user alone; one that is there already is left as it is.
  package static func make(_ path: String) throws(StorageError) {
    guard unsafe mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .last("mkdir") }
  }

  /// Returns once the names in `path` are on the disk.
  package static func synchronize(_ path: String) throws(StorageError) {
    try OpenFile(path: path, flags: O_RDONLY | O_DIRECTORY).synchronize()
  }

  /// Bytes that may still be written under `path`, and the size of its file system.
  package static func space(_ path: String) throws(StorageError) -> (free: Int, total: Int) {
    var status = statvfs()
    guard unsafe statvfs(path, &status) == 0 else { throw .last("statvfs") }
    let unit = Int(status.f_frsize)
    return (Int(status.f_bavail) * unit, Int(status.f_blocks) * unit)
  }

  /// The names in `path`, in no order; none when there is no such folder.
  package static func names(_ path: String) throws(StorageError) -> [String] {
    guard let folder = unsafe opendir(path) else {
      guard errno == ENOENT else { throw .last("opendir") }
      return []
    }
    defer { unsafe closedir(folder) }
    var names: [String] = []
    while let entry = unsafe readdir(folder) {
      let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
        unsafe String(cString: UnsafeRawPointer($0).assumingMemoryBound(to: CChar.self))
      }
      if name != ".", name != ".." { names.append(name) }
    }
    return names
  }

  /// Removes `path` and the files in it, which holds no folders; an absent one is no error.
  package static func remove(_ path: String) throws(StorageError) {
    for name in try names(path) { try removeFile(path + "/" + name) }
    guard unsafe rmdir(path) == 0 || errno == ENOENT else { throw .last("rmdir") }
  }

  /// Removes the file at `path`; an absent one is no error.
  package static func removeFile(_ path: String) throws(StorageError) {
    guard unsafe unlink(path) == 0 || errno == ENOENT else { throw .last("unlink") }
  }

  /// Gives `path` the name `other`, which it takes over from a file that has it.
  package static func rename(_ path: String, _ other: String) throws(StorageError) {
    guard unsafe Glibc.rename(path, other) == 0 else { throw .last("rename") }
  }
}
