import GatewayPlugin
import Glibc
import PluginStorage

/// Stored content as it is sent: whole, in part, or not at all when the client has it.
struct FileContent {
  /// Bytes read at once.
  private static let pieceBytes = 64 * 1024

  /// An open file that several references may share.
  private final class Source: Sendable {
    let file: OpenFile
    init(_ file: consuming OpenFile) { self.file = file }
  }

  /// What the request's conditions and range come to (RFC 9110 §13.2.2, §14.2).
  package enum Selection: Equatable {
    case notModified
    case whole
    case part(Range<Int64>)
    case unsatisfiable
  }

  /// Decides what to send.
  ///
  /// - Parameters:
  ///   - tag: The content's entity tag, with its quotation marks.
  ///   - size: Bytes of the content.
  ///   - ifNoneMatch: The field, if sent.
  ///   - ifRange: The field, if sent.
  ///   - range: The field, if sent.
  /// - Returns: What to send.
  package static func select(
    tag: String,
    size: Int,
    ifNoneMatch: String?,
    ifRange: String?,
    range: String?
  ) -> Selection {
    if let ifNoneMatch, matches(ifNoneMatch, tag) { return .notModified }
    guard let range else { return .whole }
    // A range of another version would not fit: the whole is sent instead. Dates name no version here.
    if let ifRange, ifRange != tag { return .whole }
    switch ByteRange.parse(Array(range.utf8).span, length: Int64(size)) {
    case .whole: return .whole
    case .partial(let bytes): return .part(bytes)
    case .unsatisfiable: return .unsatisfiable
    }
  }

  private static func matches(_ list: String, _ tag: String) -> Bool {
    list.split(separator: ",").contains { item in
      var item = item.drop { $0 == " " || $0 == "\t" }
      while item.last == " " || item.last == "\t" { item = item.dropLast() }
      // The comparison is weak (§13.1.2).
      if item.hasPrefix("W/") { item = item.dropFirst(2) }
      return item == "*" || item == tag
    }
  }

  /// The answer with the content of `file`.
  ///
  /// - Parameters:
  ///   - request: Its conditions and range.
  ///   - file: What is asked for.
  ///   - documents: Where the content is.
  /// - Returns: The answer, streamed.
  /// - Throws: `Failure` 404 when the file was deleted meanwhile, 416 for a range outside of it.
  static func answer(
    _ request: borrowing Request,
    _ file: FileRecord,
    _ documents: Documents
  ) throws -> Response {
    let tag = "\"\(file.sha256)\""
    let selection = select(
      tag: tag,
      size: file.size,
      ifNoneMatch: request.field("If-None-Match"),
      ifRange: request.field("If-Range"),
      range: request.field("Range")
    )
    var fields: HeaderFields = ["ETag": tag, "Cache-Control": "private, no-cache"]
    let bytes: Range<Int64>
    switch selection {
    case .notModified: return .bytes([], contentType: "", status: 304, fields: fields)
    case .unsatisfiable:
      throw Failure(
        status: 416,
        message: "The file has \(file.size) bytes; ask for a range within them.",
        fields: ["Content-Range": "bytes */\(file.size)"]
      )
    case .whole: bytes = 0..<Int64(file.size)
    case .part(let range): bytes = range
    }
    fields.append("Accept-Ranges", "bytes")
    fields.append("Content-Type", file.contentType)
    // What a stranger uploaded is saved, never shown as a page of this site.
    fields.append("Content-Disposition", Filename.attachment(file.filename))
    fields.append("Content-Security-Policy", "sandbox; default-src 'none'")
    let isPart = selection != .whole
    if isPart {
      let end = bytes.upperBound - 1
      fields.append("Content-Range", "bytes \(bytes.lowerBound)-\(end)/\(file.size)")
    }
    let source = try open(file, documents)
    let isHead = request.method == "HEAD"
    return .stream(status: isPart ? 206 : 200, fields: fields, length: bytes.count) { writer in
      // HEAD wants the length, not the bytes; the host sends none.
      if !isHead { try send(source, bytes, to: writer) }
    }
  }

  private static func open(_ file: FileRecord, _ documents: Documents) throws -> Source {
    do {
      return Source(try documents.blobs.open(sha256: file.sha256))
    } catch {
      if case .system(_, ENOENT) = error { throw Failure.noFile(file.id) }
      throw error
    }
  }

  private static func send(
    _ source: Source,
    _ bytes: Range<Int64>,
    to writer: borrowing ResponseWriter
  ) throws {
    var at = Int(bytes.lowerBound)
    let end = Int(bytes.upperBound)
    while at < end, !writer.isCancelled {
      let piece = try source.file.read(at: at, count: min(pieceBytes, end - at))
      guard !piece.isEmpty else { throw StorageError.system(call: "pread", code: EIO) }
      try writer.write(piece)
      at += piece.count
    }
  }
}
