import GatewayPlugin
import Glibc
import PluginStorage

/// The files that a job has made, on their way to the coordinator.
struct LeaseOutputs {
  /// Bytes of one call.
  static let piece = 256 << 10
  /// Files of one job.
  static let maxFiles = 1000
  /// Bytes of a path.
  static let maxPath = 255

  /// Why files cannot be results: a sentence for the submitter.
  struct Fault: Error {
    let reason: String
  }

  /// Finds the results beneath a folder: plain files; links, pipes and devices are passed over.
  ///
  /// - Parameters:
  ///   - folder: Opened without following links; absent is empty.
  ///   - limit: Bytes of all of them.
  /// - Returns: The files, sorted.
  /// - Throws: `Fault` for too many, too large or unusable names.
  static func find(in folder: String, limit: Int) throws(Fault) -> [LeaseResult.Output] {
    var found: [LeaseResult.Output] = []
    guard var root = try? DirectoryEntries(path: folder) else { return [] }
    try add(&root, folder, [], to: &found)
    let bytes = found.reduce(0) { $0 + $1.size }
    guard bytes <= limit else {
      throw Fault(
        reason: "output: the files under outputs/ have \(bytes) bytes and may have \(limit)"
      )
    }
    return found.sorted { $0.path < $1.path }
  }

  private static func add(
    _ folder: inout DirectoryEntries,
    _ root: String,
    _ names: [String],
    to found: inout [LeaseResult.Output]
  ) throws(Fault) {
    guard names.count <= FileTree.maxDepth else {
      throw Fault(reason: "output: folders under outputs/ are too deep")
    }
    while let entry = folder.next() {
      let inner = names + [entry.name]
      switch entry.kind {
      case .other: continue
      case .folder:
        guard var entries = try? DirectoryEntries(entry, in: folder) else { continue }
        try add(&entries, root, inner, to: &found)
      case .file:
        let path = inner.joined(separator: "/")
        // A name that is no UTF-8 was read as one with replacement characters, under which nothing can be opened.
        guard path.utf8.count <= maxPath, !path.unicodeScalars.contains("\u{FFFD}") else {
          throw Fault(reason: "output: a file's path is longer than \(maxPath) bytes or no UTF-8")
        }
        guard found.count < maxFiles else {
          throw Fault(reason: "output: there are more than \(maxFiles) files under outputs/")
        }
        found.append(
          LeaseResult.Output(path: path, folder: root, names: inner, size: entry.size)
        )
      }
    }
  }

  let calls: LeaseCalls

  /// Sends the files one after another.
  ///
  /// - Parameter outputs: What was found.
  /// - Throws: `LeaseStopped`; `Fault` when the coordinator refuses one; `StorageError`.
  func send(_ outputs: [LeaseResult.Output]) throws {
    for output in outputs {
      do { try send(output) } catch CallFailure.refused(let code, let message) {
        throw Fault(reason: "output: \(output.path) was refused: \(code), \(message)")
      }
    }
  }

  private func send(_ output: LeaseResult.Output) throws {
    let file = try Self.open(output)
    defer { close(file) }
    let digest = try Self.digest(file, output)
    var offset = 0
    repeat {
      let bytes = try Self.read(file, at: offset, count: min(Self.piece, output.size - offset))
      let answer = try calls.ask(
        "fog.output",
        [
          .init(name: "path", value: .string(output.path)),
          .init(name: "offset", value: .integer(Int64(offset))),
          .init(name: "size", value: .integer(Int64(output.size))),
          .init(name: "sha256", value: .string(digest)),
        ],
        bytes: bytes
      )
      guard let told = answer.json["offset"]?.asInteger, (0...output.size).contains(Int(told))
      else { throw NodeFault("the coordinator answered fog.output with no offset of the file") }
      // The same place again means that it has forgotten; a file without bytes is whole at once.
      offset = Int(told)
    } while offset < output.size
  }

  private static func digest(_ file: CInt, _ output: LeaseResult.Output) throws -> String {
    var digest = SHA256()
    var offset = 0
    while offset < output.size {
      let bytes = try read(file, at: offset, count: min(piece, output.size - offset))
      digest.update(bytes.span)
      offset += bytes.count
    }
    return digest.finish()
  }

  private static func read(_ file: CInt, at offset: Int, count: Int) throws -> [UInt8] {
    guard count > 0 else { return [] }
    var bytes = [UInt8](repeating: 0, count: count)
    let got = unsafe pread(file, &bytes, count, off_t(offset))
    guard got == count else { throw NodeFault("a result could not be read to its end") }
    return bytes
  }

  /// Opens a file through folders that are none of them links.
  private static func open(_ output: LeaseResult.Output) throws -> CInt {
    var folder = try DirectoryEntries(path: output.folder)
    for name in output.names.dropLast() { folder = try DirectoryEntries(name, in: folder) }
    let flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC
    let file = unsafe openat(folder.descriptor, output.names[output.names.count - 1], flags)
    guard file >= 0 else { throw StorageError.last("openat") }
    return file
  }
}
