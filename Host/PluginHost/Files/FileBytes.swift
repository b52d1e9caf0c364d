import CLinux
import Glibc

/// Whole files, bounded.
enum FileBytes {
  enum Refusal: Error, Equatable {
    case tooLong(limit: Int)
    case system(SystemError)
  }

  /// The bytes of a regular file.
  ///
  /// - Parameters:
  ///   - path: Followed when it is a link.
  ///   - limit: A longer file is refused.
  /// - Returns: All of it.
  /// - Throws: `Refusal`.
  static func read(_ path: String, limit: Int) throws(Refusal) -> [UInt8] {
    // Non-blocking, so that a FIFO in the file's place is refused below instead of waited for.
    let raw = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard raw >= 0 else { throw .system(SystemError(call: "open", code: errno)) }
    let file = Descriptor(adopting: raw)
    var status = stat()
    guard unsafe fstat(file.raw, &status) == 0 else {
      throw .system(SystemError(call: "fstat", code: errno))
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw .system(
        SystemError(call: "open", code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
      )
    }
    guard status.st_size <= limit else { throw .tooLong(limit: limit) }
    var bytes: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 64 * 1024)
    while true {
      let count = unsafe Glibc.read(file.raw, &chunk, chunk.count)
      if count == 0 { return bytes }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw .system(SystemError(call: "read", code: errno))
      }
      bytes += chunk[..<count]
      guard bytes.count <= limit else { throw .tooLong(limit: limit) }
    }
  }

  /// Makes a new file that only the gateway's user may read.
  ///
  /// - Parameters:
  ///   - bytes: All of it.
  ///   - path: Must not exist.
  /// - Throws: `SystemError`; a part may have been written.
  static func write(_ bytes: [UInt8], to path: String) throws(SystemError) {
    let raw = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
    guard raw >= 0 else { throw SystemError(call: "open", code: errno) }
    let file = Descriptor(adopting: raw)
    try Directory.writeAll(file.raw, bytes[...])
  }
}
