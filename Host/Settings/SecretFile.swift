import CLinux
import Glibc

/// The development secret that `make run` leaves in the data directory.
package enum SecretFile {
  /// A secret file that must not be used, with what to do about it.
  package struct Refusal: Error, Equatable, CustomStringConvertible {
    package let path: String
    package let remedy: String
    package var description: String { "\(path): \(remedy)" }
  }

  /// Reads `secret` in the data directory.
  ///
  /// - Parameter dataDirectory: The directory, as `DATA_DIR` has it.
  /// - Returns: The secret without its line end, or `nil` when there is no such file.
  /// - Throws: `Refusal` when it is not a private file of moderate size.
  package static func read(_ dataDirectory: String) throws(Refusal) -> String? {
    let path = dataDirectory + "/secret"
    let raw = unsafe open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY)
    guard raw >= 0 else {
      if errno == ENOENT || errno == ENOTDIR { return nil }
      throw Refusal(path: path, remedy: "it cannot be read; check its owner and mode")
    }
    let file = Descriptor(adopting: raw)
    var status = stat()
    guard unsafe fstat(file.raw, &status) == 0, status.st_mode & S_IFMT == S_IFREG else {
      throw Refusal(path: path, remedy: "it is not a plain file")
    }
    guard status.st_mode & 0o077 == 0 else {
      throw Refusal(path: path, remedy: "others may read it; run: chmod 600 \(path)")
    }
    var bytes = [UInt8](repeating: 0, count: 4097)
    // Fills the array's own memory, up to its count.
    let count = unsafe Glibc.read(file.raw, &bytes, bytes.count)
    guard count >= 0, count <= 4096 else {
      throw Refusal(path: path, remedy: "it is longer than 4096 bytes, or cannot be read")
    }
    var text = bytes[..<count]
    while text.last == UInt8(ascii: "\n") || text.last == UInt8(ascii: "\r") { text.removeLast() }
    return String(decoding: text, as: UTF8.self)
  }
}
