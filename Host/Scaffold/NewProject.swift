import CLinux
import Glibc

/// The project of a plugin, made on disk whole or not at all.
package enum NewProject {
  /// Why there is no project.
  package enum Failure: Error, Equatable, CustomStringConvertible {
    case sdk(SDKFolder.Missing)
    /// The folder has something in it.
    case occupied(String)
    /// It is a file.
    case noFolder(String)
    case cannotRead(path: String, reason: String)
    case cannotWrite(path: String, reason: String)

    package var description: String {
      switch self {
      case .sdk(let missing): missing.description
      case .occupied(let path):
        "\(path): there is something in this folder already; name another with --dir, or empty it"
      case .noFolder(let path): "\(path): this is not a folder; name another with --dir"
      case .cannotRead(let path, let reason): "\(path): it cannot be read: \(reason)"
      case .cannotWrite(let path, let reason): "\(path): it cannot be written: \(reason)"
      }
    }
  }

  /// Bytes of the longest file copied; the SDK has none near it.
  static let fileLimit = 1 << 20

  /// Makes the project.
  ///
  /// - Parameters:
  ///   - order: What is wanted.
  ///   - binary: The absolute path of the running gateway.
  /// - Throws: `Failure`; then nothing is left behind.
  package static func make(_ order: ProjectOrder, binary: String) throws(Failure) {
    let folder = binary.split(separator: "/").dropLast().joined(separator: "/")
    let sdk: SDKFolder
    do {
      sdk = try SDKFolder(named: order.sdk, binaryFolder: "/\(folder)")
    } catch { throw .sdk(error) }
    let target = try free(order.directory)
    let template = ProjectTemplate(order: order, sdk: sdk, gateway: binary)
    let files: [ProjectTemplate.File]
    do {
      files = try template.files()
    } catch { throw .cannotRead(path: sdk.path, reason: error.description) }

    // Beside its place, so that one rename puts the whole of it there.
    let staged = try stage(beside: target)
    do throws(Failure) {
      for file in files { try copy(file, template, into: staged) }
      guard unsafe rename(staged, target) == 0 else {
        throw errno == ENOTEMPTY || errno == EEXIST ? .occupied(target) : last(target)
      }
    } catch {
      Directory.removeAll(staged)
      throw error
    }
  }

  /// The path without slashes at its end, when a project may go there.
  private static func free(_ directory: String) throws(Failure) -> String {
    var target = directory
    while target.count > 1, target.hasSuffix("/") { target.removeLast() }
    // A rename cannot replace `.` or `..` by these names.
    target = Directory.absolute(target) ?? target
    var status = stat()
    guard unsafe stat(target, &status) == 0 else {
      guard errno == ENOENT else { throw last(target) }
      return target
    }
    guard status.st_mode & S_IFMT == S_IFDIR else { throw .noFolder(target) }
    let names: [String]
    do {
      names = try Directory.list(target)
    } catch { throw .cannotRead(path: target, reason: error.description) }
    guard names.isEmpty else { throw .occupied(target) }
    return target
  }

  private static func stage(beside target: String) throws(Failure) -> String {
    var pattern = Array("\(target).new-XXXXXX".utf8CString)
    guard unsafe mkdtemp(&pattern) != nil else { throw last(target) }
    let staged = unsafe pattern.withUnsafeBufferPointer { buffer in
      unsafe buffer.baseAddress.map { unsafe String(cString: $0) } ?? ""
    }
    // mkdtemp(3) makes it for its owner alone, and a project is an ordinary folder.
    guard unsafe chmod(staged, 0o755) == 0 else {
      let failure = last(staged)
      Directory.removeAll(staged)
      throw failure
    }
    return staged
  }

  private static func copy(
    _ file: ProjectTemplate.File,
    _ template: ProjectTemplate,
    into staged: String
  ) throws(Failure) {
    var bytes: [UInt8]
    do {
      bytes = try FileBytes.read(file.source, limit: fileLimit)
    } catch { throw .cannotRead(path: file.source, reason: "\(error)") }
    if file.isNamed {
      bytes = Array(template.renamed(String(decoding: bytes, as: UTF8.self)).utf8)
    }
    let parts = file.place.split(separator: "/")
    var folder = staged
    for part in parts.dropLast() {
      folder += "/\(part)"
      guard unsafe mkdir(folder, 0o755) == 0 || errno == EEXIST else { throw last(folder) }
    }
    let path = "\(staged)/\(file.place)"
    let raw = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o644)
    guard raw >= 0 else { throw last(path) }
    let descriptor = Descriptor(adopting: raw)
    do {
      try Directory.writeAll(descriptor.raw, bytes[...])
    } catch { throw .cannotWrite(path: path, reason: error.description) }
  }

  /// The failure of the system call that has just failed on this thread.
  private static func last(_ path: String) -> Failure {
    .cannotWrite(path: path, reason: unsafe String(cString: strerror(errno)))
  }
}
