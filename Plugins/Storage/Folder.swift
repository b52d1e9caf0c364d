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
}
