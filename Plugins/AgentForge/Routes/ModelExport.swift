import GatewayPlugin
import Glibc
import PluginStorage

/// The files of a model as one archive or one by one; open, so that a deletion meanwhile does not matter.
struct ModelExport: Sendable {
  /// Bytes read at once.
  private static let pieceBytes = 64 * 1024

  private final class Source: Sendable {
    let file: ModelFolder.File
    let content: OpenFile
    let size: Int

    init(_ file: ModelFolder.File, _ content: consuming OpenFile) throws(StorageError) {
      self.file = file
      size = try content.size()
      self.content = content
    }
  }

  private let record: ModelRecord
  private let sources: [Source]

  /// Opens files of a model.
  ///
  /// - Parameters:
  ///   - record: Of the model.
  ///   - store: Where they are.
  ///   - files: Which.
  /// - Throws: `Failure` 404 when the model was deleted meanwhile, `StorageError`.
  init(
    _ record: ModelRecord,
    _ store: ModelStore,
    _ files: [ModelFolder.File] = ModelFolder.File.allCases
  ) throws {
    self.record = record
    do {
      sources = try files.map { file in
        let path = store.folder(record.id).path(of: file)
        return try Source(file, OpenFile(path: path, flags: O_RDONLY))
      }
    } catch StorageError.system(_, ENOENT) { throw Failure.noModel(record.id) }
  }

  /// Bytes of the archive.
  var archiveBytes: Int { Tar.archiveBytes(sources.map(\.size)) }

  /// Writes the archive.
  func writeArchive(_ write: ([UInt8]) throws -> Void) throws {
    for source in sources {
      let seconds = Int(record.createdAt / 1_000_000_000)
      try write(Tar.header(name: source.file.rawValue, size: source.size, seconds: seconds))
      try Self.write(source, write)
      try write(Tar.padding(source.size))
    }
    try write(Tar.end)
  }

  /// A piece of the archive.
  ///
  /// - Parameters:
  ///   - offset: Where it begins.
  ///   - count: Bytes at most.
  /// - Returns: The bytes; fewer only at the end.
  /// - Throws: `StorageError`.
  func archive(at offset: Int, count: Int) throws(StorageError) -> [UInt8] {
    var piece: [UInt8] = []
    var begin = 0
    /// Takes what of the next `size` bytes of the archive belongs to the piece.
    func take(
      _ size: Int,
      _ bytes: (_ from: Int, _ count: Int) throws(StorageError) -> [UInt8]
    ) throws(StorageError) {
      let first = max(0, offset + piece.count - begin)
      let wanted = min(size - first, count - piece.count)
      if wanted > 0 { piece += try bytes(first, wanted) }
      begin += size
    }
    for source in sources {
      let seconds = Int(record.createdAt / 1_000_000_000)
      let header = Tar.header(name: source.file.rawValue, size: source.size, seconds: seconds)
      try take(header.count) { (from, count) in Array(header[from..<from + count]) }
      try take(source.size) { (from, count) throws(StorageError) in
        try source.content.read(at: from, count: count)
      }
      let padding = Tar.padding(source.size)
      try take(padding.count) { (from, count) in Array(padding[from..<from + count]) }
    }
    try take(Tar.end.count) { (from, count) in Array(Tar.end[from..<from + count]) }
    return piece
  }

  private static func write(_ source: Source, _ write: ([UInt8]) throws -> Void) throws {
    var at = 0
    while at < source.size {
      let piece = try source.content.read(at: at, count: min(pieceBytes, source.size - at))
      guard !piece.isEmpty else { throw StorageError.system(call: "pread", code: EIO) }
      try write(piece)
      at += piece.count
    }
  }

  /// The answer with the whole archive; without its bytes for `HEAD`, which wants the length alone.
  ///
  /// - Parameter isHead: Whether it is for `HEAD`.
  /// - Returns: The answer, streamed.
  /// - Throws: `Failure` 409 when a file is larger than an archive can say.
  func archive(isHead: Bool) throws(Failure) -> Response {
    guard sources.allSatisfy({ $0.size <= Tar.maxFileBytes }) else {
      throw .conflict("The model is too large for a tar archive; download its files one by one.")
    }
    let fields: HeaderFields = [
      "Content-Type": "application/x-tar", "Cache-Control": "private, no-cache",
      "Content-Disposition": "attachment; filename=\"model-\(record.id).tar\"",
    ]
    return .stream(fields: fields, length: archiveBytes) { writer in
      if !isHead { try writeArchive { try writer.write($0) } }
    }
  }

  /// The answer with the only file that was opened.
  func single(isHead: Bool) -> Response {
    let source = sources[0]
    let isJSON = source.file != .weights
    let fields: HeaderFields = [
      "Content-Type": isJSON ? "application/json" : "application/octet-stream",
      "Cache-Control": "private, no-cache",
      "Content-Disposition": "attachment; filename=\"\(source.file.rawValue)\"",
    ]
    return .stream(fields: fields, length: source.size) { writer in
      if !isHead { try Self.write(source) { try writer.write($0) } }
    }
  }
}
