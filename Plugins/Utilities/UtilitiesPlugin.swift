public import GatewayPlugin

/// Uploads, the files they become, and questions about what is in them.
public final class UtilitiesPlugin: Plugin {
  /// What this library is.
  public static let identity = PluginIdentity(
    id: "utilities",
    version: "1.0.0",
    description: "Stores uploaded files and answers questions from their text."
  )

  private static let topic = "file_uploaded"

  private let host: Host
  private let settings: UtilitiesSettings
  private let documents: Documents
  private let uploads: Counter
  private let uploadBytes: Counter
  private let queries: Counter
  private let queryTime: Histogram

  /// Opens the document store of the host's data directory.
  ///
  /// - Parameter host: What the gateway offers.
  /// - Throws: `PluginFailure` for bad settings or a store that cannot be opened.
  public init(host: Host) throws {
    self.host = host
    let settings = try UtilitiesSettings(host.settings)
    self.settings = settings
    do {
      documents = try Documents(
        directory: host.dataDirectory,
        limits: Extraction.Limits(
          textBytes: settings.maxIndexBytes,
          pdfSeconds: settings.pdfTimeoutSeconds
        )
      )
    } catch {
      throw PluginFailure("The document store cannot be opened: \(error).")
    }
    if host.events.isAvailable { try host.events.declare(Self.topic) }
    if host.services.isAvailable {
      let files = FileService(documents)
      try host.services.serve(FileService.name) { try files.answer($0) }
    }
    uploads = try host.metrics.counter(
      "utilities_uploads_total",
      "Files stored.",
      labels: ["status"]
    )
    uploadBytes = try host.metrics.counter("utilities_upload_bytes_total", "Bytes of files stored.")
    queries = try host.metrics.counter(
      "utilities_queries_total",
      "Questions answered.",
      labels: ["mode"]
    )
    queryTime = try host.metrics.histogram(
      "utilities_query_seconds",
      "Time to answer a question.",
      labels: ["mode"]
    )
  }

  /// Uploads, files and questions.
  public var routes: [Route] {
    upload
    FileRoutes(documents: documents).all
    QueryRoute(documents: documents, phrasing: phrasing) { [queries, queryTime] mode, took in
      queries.add(1, mode.rawValue)
      queryTime.observe(took, mode.rawValue)
    }.route
  }

  /// The database and the room on its disk.
  public var checks: [HealthCheck] {
    HealthCheck("storage", every: .seconds(15)) { [documents, settings] in
      Self.health(of: documents, settings)
    }
  }

  private var phrasing: Phrasing {
    Phrasing { [host] argument, subject throws(HostRefusal) in
      try host.services.call(
        Phrasing.service,
        "generate",
        argument,
        subject: subject,
        timeout: Phrasing.time
      )
    }
  }

  private var upload: Route {
    // Room for the form around the file: boundaries, part headers and metadata.
    let aroundFile = 128 * 1024
    return .upload(
      "/v1/upload",
      scope: .write,
      summary: "Store a file and index its text",
      body: .object(
        [
          "file": .binary,
          "metadata": .object(
            ["category": .string("", 1...64), "tags": .array(.string("", 1...64), "", 0...32)],
            "JSON; further members are kept with the file"
          ),
        ],
        required: ["file"],
        unknown: .refused
      ),
      answer: FileRoutes.file,
      statuses: [
        413: "The file is larger than allowed", 415: "The body is no multipart/form-data",
        507: "STORAGE_FULL",
      ],
      limits: Route.Limits(
        maxBody: settings.maxUploadBytes + aroundFile,
        maxInFlight: 64,
        timeout: .seconds(600)
      )
    ) { [self] request in
      let head = Upload.Head(
        contentType: request.field("Content-Type") ?? "",
        length: request.announcedLength,
        owner: request.caller.subject
      )
      return try Upload(head, documents, settings) { [self] file in announce(file) }
    }
  }

  private func announce(_ file: FileRecord) {
    uploads.add(1, file.status.rawValue)
    uploadBytes.add(Double(file.size))
    guard host.events.isAvailable else { return }
    do {
      try host.events.publish(
        Self.topic,
        [
          "file_id": .string(file.id), "filename": .string(file.filename),
          "size": .integer(Int64(file.size)), "content_type": .string(file.contentType),
          "status": .string(file.status.rawValue), "indexed": .bool(file.isIndexed),
        ],
        to: file.owner
      )
    } catch {
      // The file is stored; whoever listens finds it in the list.
      host.log.warning("An upload could not be announced.", ["why": "\(error)"])
    }
  }

  private static func health(of documents: Documents, _ settings: UtilitiesSettings) -> Health {
    do {
      let totals = try documents.totals()
      let space = try documents.blobs.space()
      let detail: JSON = [
        "files": .integer(Int64(totals.files)), "bytes": .integer(Int64(totals.bytes)),
        "passages": .integer(Int64(totals.passages)),
        "free_bytes": .integer(Int64(space.free)), "disk_bytes": .integer(Int64(space.total)),
        "min_free_bytes": .integer(Int64(settings.minFreeBytes)),
      ]
      return space.free < settings.minFreeBytes ? .degraded(detail) : .healthy(detail)
    } catch {
      return .unhealthy(["reason": .string("\(error)")])
    }
  }
}
