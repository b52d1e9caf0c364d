import CLinux
import COpenSSL
import Glibc
import Synchronization

/// The directory of private copies from which plugin code runs.
///
/// The dynamic linker knows a file by device and inode and gives the old code again when a path is opened twice, so
/// each load gets a copy of its own; the original can be replaced at any time.
package final class GenerationStage: Sendable {
  package struct Copy: Sendable, Equatable {
    package let path: String
    /// SHA-256 of the library, in hexadecimal digits.
    package let digest: String
  }

  /// Bytes of one library.
  package static let maxBytes = 512 * 1024 * 1024

  private let directory: String
  private let next = Atomic<Int>(1)

  /// Makes the directory if needed and removes what ended processes left in it.
  ///
  /// - Parameter dataDirectory: Must exist.
  /// - Throws: `SystemError` when the directory cannot be made.
  package init(dataDirectory: String) throws(SystemError) {
    directory = "\(dataDirectory)/generations"
    try Directory.make(directory)
    for name in Directory.names(in: directory) where !Self.isInUse(name) {
      _ = unsafe unlink("\(directory)/\(name)")
    }
  }

  /// Copies the library at `source`, under a name of its own.
  ///
  /// - Parameters:
  ///   - source: Path of a regular file.
  ///   - label: Begins the copy's name.
  /// - Returns: Where the copy is.
  /// - Throws: `SystemError`; nothing is left behind.
  package func copy(_ source: String, label: String) throws(SystemError) -> Copy {
    let number = next.wrappingAdd(1, ordering: .relaxed).oldValue
    let suffix = "\(getpid())-\(number).so"
    let staged = "\(directory)/staged-\(suffix)"
    do throws(SystemError) {
      let digest = try Self.copy(source, to: staged)
      let path = "\(directory)/\(label)-\(digest.prefix(12))-\(suffix)"
      guard unsafe rename(staged, path) == 0 else { throw SystemError(call: "rename", code: errno) }
      return Copy(path: path, digest: digest)
    } catch {
      _ = unsafe unlink(staged)
      throw error
    }
  }

  /// SHA-256 of the library at `source`, in hexadecimal digits.
  package static func digest(of source: String) throws(SystemError) -> String {
    let input = try openLibrary(source)
    return try copy(input.raw, nil)
  }

  /// Removes a copy; code that is mapped from it stays mapped.
  package func remove(_ copy: Copy) { _ = unsafe unlink(copy.path) }

  // The name ends in -PID-N.so; a copy of a live process may be mapped, and its debugger wants the file.
  private static func isInUse(_ name: String) -> Bool {
    let parts = name.split(separator: "-")
    guard parts.count >= 3, let owner = pid_t(parts[parts.count - 2]), owner > 0 else {
      return !name.hasSuffix(".so")
    }
    return owner != getpid() && (kill(owner, 0) == 0 || errno == EPERM)
  }

  private static func openLibrary(_ source: String) throws(SystemError) -> Descriptor {
    let from = unsafe open(source, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
    guard from >= 0 else { throw SystemError(call: "open", code: errno) }
    let input = Descriptor(adopting: from)
    var status = stat()
    guard unsafe fstat(input.raw, &status) == 0 else {
      throw SystemError(call: "fstat", code: errno)
    }
    guard status.st_mode & S_IFMT == S_IFREG else {
      throw SystemError(call: "open", code: status.st_mode & S_IFMT == S_IFDIR ? EISDIR : EINVAL)
    }
    guard status.st_size <= maxBytes else { throw SystemError(call: "read", code: EFBIG) }
    return input
  }

  private static func copy(_ source: String, to path: String) throws(SystemError) -> String {
    let input = try openLibrary(source)
    let to = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o700)
    guard to >= 0 else { throw SystemError(call: "open", code: errno) }
    let output = Descriptor(adopting: to)
    return try copy(input.raw, output.raw)
  }

  /// Gives the digest of what is read, and writes it where there is an output.
  private static func copy(_ input: CInt, _ output: CInt?) throws(SystemError) -> String {
    let digest = unsafe EVP_MD_CTX_new()
    defer { unsafe EVP_MD_CTX_free(digest) }
    guard unsafe EVP_DigestInit_ex(digest, EVP_sha256(), nil) == 1 else {
      throw SystemError(call: "EVP_DigestInit_ex", code: ENOMEM)
    }
    var chunk = [UInt8](repeating: 0, count: 1024 * 1024)
    var total = 0
    while true {
      let count = unsafe read(input, &chunk, chunk.count)
      if count == 0 { break }
      guard count > 0 else {
        if errno == EINTR { continue }
        throw SystemError(call: "read", code: errno)
      }
      // It may grow while it is read.
      total += count
      guard total <= maxBytes else { throw SystemError(call: "read", code: EFBIG) }
      unsafe EVP_DigestUpdate(digest, chunk, count)
      if let output { try Directory.writeAll(output, chunk[..<count]) }
    }
    var sum = [UInt8](repeating: 0, count: 32)
    unsafe EVP_DigestFinal_ex(digest, &sum, nil)
    let digits = Array("0123456789abcdef")
    return sum.reduce(into: "") { text, byte in
      text.append(digits[Int(byte >> 4)])
      text.append(digits[Int(byte & 15)])
    }
  }
}
