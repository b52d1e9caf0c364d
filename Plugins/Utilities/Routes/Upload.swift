package import GatewayPlugin
import PluginStorage
import StorageAnswers

/// One upload on its way in: the form is taken apart as it arrives, the file goes to disk.
final class Upload: BodySink {
  /// Bytes of the part `metadata`.
  static let maxMetadataBytes = 16 * 1024

  private enum Field { case file, metadata, other }

  private let documents: Documents
  private let settings: UtilitiesSettings
  private let owner: String
  private let finished: (FileRecord) -> Void
  private var parser: MultipartParser
  private var field = Field.other
  private var blob: IncomingBlob?
  private var filename: String?
  private var claimedType: String?
  private var metadata: [UInt8]?
  private var hasFile = false
  private var errors: [FieldError] = []

  /// What the head of an upload says.
  struct Head {
    var contentType: String
    /// Bytes of the body, if announced.
    var length: UInt64?
    var owner: String
  }

  /// Begins an upload.
  ///
  /// - Parameters:
  ///   - head: What its head says.
  ///   - documents: Where the file goes.
  ///   - settings: The limits.
  ///   - finished: Told of the stored file before the client is.
  /// - Throws: `Failure` for a head that cannot lead to a file.
  init(
    _ head: Head,
    _ documents: Documents,
    _ settings: UtilitiesSettings,
    finished: @escaping (FileRecord) -> Void
  ) throws {
    self.documents = documents
    self.settings = settings
    self.finished = finished
    owner = head.owner
    guard let type = MediaType.parse(Array(head.contentType.utf8).span),
      type.essence == "multipart/form-data"
    else { throw Failure.unsupportedMediaType(allowed: ["multipart/form-data"]) }
    do { parser = try MultipartParser(contentType: type, maxParts: 8) } catch {
      throw Failure.badRequest(error.message)
    }
    let free = try answering(documents.blobs.space).free
    let announced = Int(clamping: head.length ?? 0)
    guard free - min(announced, free) >= settings.minFreeBytes else { throw answering.noSpace }
  }

  func receive(_ bytes: Span<UInt8>) throws {
    var offset = 0
    while true {
      let event: MultipartParser.Event
      do { event = try parser.next(bytes, from: &offset) } catch {
        throw Failure.badRequest(error.message)
      }
      switch event {
      case .needMore, .end: return
      case .partBegin(let part): try begin(part)
      case .partData(let range): try take(bytes.extracting(range))
      case .partHeldBack(let held): try take(held.span)
      case .partEnd: field = .other
      }
    }
  }

  func finish() throws -> Response {
    do { try parser.finish() } catch { throw Failure.badRequest(error.message) }
    if !hasFile {
      errors.append(FieldError(field: "file", reason: "is required: send the file as this part"))
    }
    var labels = UploadLabels(owner: owner, filename: filename ?? "", claimedType: claimedType)
    if let metadata { errors += labels.read(metadata) }
    guard errors.isEmpty, var blob = blob.take() else { throw Failure.validation(errors) }
    let stored: (file: FileRecord, isDuplicate: Bool)
    do {
      stored = try documents.store(&blob, labels)
    } catch .storage(let error) {
      throw answering.thrown(error)
    } catch .disguised(let claimed, let found) {
      throw Failure.validation([
        FieldError(
          field: "file",
          reason: "claims to be \(claimed) and is a program (\(found)); send it as what it is"
        )
      ])
    }
    finished(stored.file)
    let duplicate = JSON.Member(name: "duplicate", value: .bool(stored.isDuplicate))
    return .data(
      .object(stored.file.members + [duplicate]),
      message: "File uploaded and processed successfully"
    )
  }

  func abandoned() { blob = nil }

  private func begin(_ part: MultipartParser.Part) throws {
    switch part.name {
    case "file":
      guard !hasFile else {
        errors.append(FieldError(field: "file", reason: "is given more than once; send one file"))
        return
      }
      hasFile = true
      claimedType = part.contentType?.essence
      guard let name = part.filename.flatMap(Filename.sanitized) else {
        errors.append(
          FieldError(field: "file", reason: "has no filename; name it in Content-Disposition")
        )
        return
      }
      filename = name
      field = .file
      blob = try answering(documents.blobs.receive)
    case "metadata":
      if metadata != nil {
        errors.append(FieldError(field: "metadata", reason: "is given more than once"))
      }
      metadata = []
      field = .metadata
    default:
      errors.append(
        FieldError(
          field: PlainWords.prefix(part.name, bytes: 64),
          reason: "is not known here",
          allowed: ["file", "metadata"]
        )
      )
    }
  }

  private func take(_ bytes: Span<UInt8>) throws {
    switch field {
    case .other: return
    case .file:
      guard (blob?.size ?? 0) + bytes.count <= settings.maxUploadBytes else {
        throw Failure.tooLarge(limit: settings.maxUploadBytes)
      }
      try answering { () throws(StorageError) in try blob?.append(bytes) }
    case .metadata:
      guard (metadata?.count ?? 0) + bytes.count <= Self.maxMetadataBytes else {
        throw Failure.validation([
          FieldError(field: "metadata", reason: "is longer than \(Self.maxMetadataBytes) bytes")
        ])
      }
      for index in bytes.indices { metadata?.append(bytes[index]) }
    }
  }
}

extension UploadLabels {
  /// Takes category, tags and all else from the JSON of the part `metadata`.
  ///
  /// Members of other names are kept with the file as they are.
  ///
  /// - Parameter bytes: The part's data.
  /// - Returns: Every bad field.
  package mutating func read(_ bytes: [UInt8]) -> [FieldError] {
    let json: JSON
    do { json = try JSON.parse(bytes) } catch {
      return [FieldError(field: "metadata", reason: "is not valid JSON at \(error)")]
    }
    var fields = Fields(.object([.init(name: "metadata", value: json)]))
    let read = fields.optionalObject("metadata") { part -> (String?, [String]) in
      for member in json.asMembers ?? [] { _ = part.json(member.name) }
      return (part.optionalString("category", 1...64), part.strings("tags", 0...32, length: 1...64))
    }
    do { try fields.finish() } catch { return Self.errors(of: error) }
    if json.asMembers == nil {
      return [FieldError(field: "metadata", reason: "must be a JSON object")]
    }
    category = read?.0
    tags = read?.1 ?? []
    metadata = .object(
      (json.asMembers ?? []).filter { $0.name != "category" && $0.name != "tags" }
    )
    return []
  }

  private static func errors(of failure: Failure) -> [FieldError] {
    (failure.details?.asArray ?? []).map {
      FieldError(field: $0["field"]?.asString ?? "", reason: $0["reason"]?.asString ?? "")
    }
  }
}
