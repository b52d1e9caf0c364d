import Glibc
package import PluginStorage

/// Small files by which the kernel tells and is told, as in `/proc` and control groups.
package enum SystemFile {
  /// Bytes read at most; such files are not larger, and their size is not known before.
  package static let limit = 1 << 20

  /// The text of a file; `nil` when it cannot be read or is no text.
  ///
  /// - Parameter path: Absolute.
  /// - Returns: At most `limit` bytes of it.
  package static func text(_ path: String) -> String? {
    guard let file = try? OpenFile(path: path, flags: O_RDONLY) else { return nil }
    var bytes: [UInt8] = []
    while bytes.count < limit {
      guard let piece = try? file.read(at: bytes.count, count: 16 << 10) else { return nil }
      bytes += piece
      if piece.count < 16 << 10 { break }
    }
    return String(validating: bytes, as: UTF8.self)
  }

  /// Writes a text into a file that is there, in one call, as such files want it.
  ///
  /// - Parameters:
  ///   - text: The whole of it.
  ///   - path: Absolute.
  /// - Throws: `StorageError` with the kernel's reason.
  package static func write(_ text: String, to path: String) throws(StorageError) {
    try OpenFile(path: path, flags: O_WRONLY).write(Array(text.utf8).span)
  }

  /// Names of the entries of a folder, sorted; none when it cannot be read.
  package static func names(in path: String) -> [String] {
    ((try? Folder.names(path)) ?? []).sorted()
  }

  /// Whether anything stands at a path.
  package static func exists(_ path: String) -> Bool { unsafe access(path, F_OK) == 0 }
}
