import GatewayPlugin
import PluginStorage
import StorageAnswers

/// The routes under `/v1/files`.
struct FileRoutes {
  let documents: Documents

  @ListBuilder<Route> var all: [Route] {
    list
    Route.get(
      "/v1/files/{id}",
      scope: .read,
      summary: "Show one file",
      parameters: [Self.id],
      answer: Self.file,
      statuses: Self.missing
    ) { [documents] request in
      .data(try Self.find(request, documents).json, message: "File retrieved successfully")
    }
    Route(
      "GET",
      "/v1/files/{id}/content",
      scope: .read,
      description: RouteDescription(
        "Download a file, whole or a range of it",
        parameters: [
          Self.id, .header("Range", .string(), "One range of bytes, as bytes=0-1023"),
          .header("If-None-Match", .string(), "The ETag of what the client has"),
          .header("If-Range", .string(), "The ETag the range belongs to"),
        ],
        plainAnswers: ["*/*": .binary],
        statuses: [
          206: "The range", 304: "The client has it already",
          404: "There is no such file of the caller's", 416: "The range is beyond the file's end",
        ]
      )
    ) { [documents] request in
      try FileContent.answer(request, try Self.find(request, documents), documents)
    }
    Route.delete(
      "/v1/files/{id}",
      scope: .write,
      summary: "Delete a file and what was indexed of it",
      parameters: [Self.id],
      answer: .object([
        "file_id": .string(format: "uuid"), "filename": .string(), "deleted": .boolean(),
        "user_id": .string(),
      ]),
      statuses: Self.missing
    ) { [documents] request in
      let id = request.parameter("id")
      let owner = request.caller.visibleOwner
      let deleted = try answering { () throws(StorageError) in
        try documents.delete(id, owner: owner)
      }
      guard let deleted else { throw Failure.noFile(id) }
      return .data(
        [
          "file_id": .string(deleted.id), "filename": .string(deleted.filename), "deleted": true,
          "user_id": .string(deleted.owner),
        ],
        message: "File deleted successfully"
      )
    }
  }

  private var list: Route {
    .get(
      "/v1/files",
      scope: .read,
      summary: "List your files, the newest first (with scope admin: everyone's)",
      parameters: [
        .query("limit", .integer("Files on a page", 1...100, default: 20)),
        .query("offset", .integer("Files to pass over", 0...1_000_000_000, default: 0)),
        .query("category", .string("", 1...64)), .query("content_type", .string("", 1...127)),
        .query("status", .string(allowed: FileRecord.Status.allCases.map(\.rawValue))),
      ],
      answer: .object([
        "files": .array(Self.file), "total_count": .integer(), "limit": .integer(),
        "offset": .integer(), "user_id": .string(),
      ])
    ) { [documents] request in
      let caller = request.caller
      let listing = try request.validateQuery(unknown: .refused) { fields in
        var listing = Documents.Listing(owner: caller.visibleOwner)
        listing.limit = fields.integer("limit", 1...100, default: 20)
        listing.offset = fields.integer("offset", 0...1_000_000_000, default: 0)
        listing.category = fields.optionalString("category", 1...64)
        listing.contentType = fields.optionalString("content_type", 1...127)?.lowercased()
        let states = FileRecord.Status.allCases.map(\.rawValue)
        if fields.json("status") != nil {
          listing.status = FileRecord.Status(rawValue: fields.choice("status", states))
        }
        return listing
      }
      let page = try answering { () throws(StorageError) in try documents.list(listing) }
      return .data(
        [
          "files": .array(page.files.map(\.json)), "total_count": .integer(Int64(page.total)),
          "limit": .integer(Int64(listing.limit)), "offset": .integer(Int64(listing.offset)),
          "user_id": .string(caller.subject),
        ],
        message: "Files retrieved successfully"
      )
    }
  }

  private static func find(
    _ request: borrowing Request,
    _ documents: Documents
  ) throws -> FileRecord {
    let id = request.parameter("id")
    let owner = request.caller.visibleOwner
    let file = try answering { () throws(StorageError) in try documents.file(id, owner: owner) }
    guard let file else { throw Failure.noFile(id) }
    return file
  }

  private static let id = Parameter.path("id", .string(format: "uuid"), "The file_id of the upload")

  private static let missing: [UInt16: String] = [404: "There is no such file of the caller's"]

  /// What is known of a file.
  static let file = Schema.object([
    "file_id": .string(format: "uuid"), "filename": .string(), "title": .string(),
    "size": .integer("Bytes"), "content_type": .string("As the bytes show"),
    "claimed_type": Schema.string("As the sender said").orNull, "type_matches": .boolean(),
    "status": .string(allowed: FileRecord.Status.allCases.map(\.rawValue)),
    "user_id": .string(), "sha256": .string(),
    "category": Schema.string().orNull,
    "tags": .array(.string()), "metadata": .object([:]), "indexed": .boolean(),
    "index": .object([
      "chunks": .integer(), "sections": .integer(), "words": .integer(),
      "truncated": .boolean("Text beyond the limit was left out"),
      "reason": .string("Why there is no text, or not all of it"),
    ]),
    "uploaded_at": .string(format: "date-time"), "processed_at": .string(format: "date-time"),
    "download_url": .string(),
  ])
}
