package import GatewayPlugin
import PluginStorage
import StorageAnswers

/// The routes of models that are there: `/v1/models` and below.
package struct ModelRoutes: Sendable {
  /// Imports at once; each may hold a model in memory.
  private static let maxImports = 2

  private let store: ModelStore
  private let importLimit: Int
  private let runs: ModelListing.Runs
  private let deleted: @Sendable (_ id: String) -> Void

  /// Routes over `store`.
  ///
  /// - Parameters:
  ///   - store: Every owner's models.
  ///   - importLimit: Bytes of an archive that is brought in.
  ///   - trainingModels: Gives an owner's runs that are not models yet.
  ///   - deleted: Told of each model that was deleted.
  package init(
    store: ModelStore,
    importLimit: Int,
    trainingModels: @escaping ModelListing.Runs,
    deleted: @escaping @Sendable (_ id: String) -> Void
  ) {
    self.store = store
    self.importLimit = importLimit
    runs = trainingModels
    self.deleted = deleted
  }

  /// All of them.
  @ListBuilder<Route> package var all: [Route] {
    list
    Route.get(
      "/v1/models/{id}",
      scope: .read,
      summary: "Show one model with its lineage",
      parameters: [Self.id],
      answer: ModelRecord.schema,
      statuses: Self.missing
    ) { [store] request in
      let record = try Self.find(request, store)
      let details = try answering { () throws(StorageError) in try record.details(store) }
      return .data(details, message: "Model retrieved successfully")
    }
    Route.delete(
      "/v1/models/{id}",
      scope: .write,
      summary: "Delete a model",
      parameters: [Self.id],
      answer: .object([
        "model_id": .string(format: "uuid"), "deleted": .boolean(), "user_id": .string(),
      ]),
      statuses: Self.missing
    ) { [store, deleted] request in
      let id = request.parameter("id")
      let owner = request.caller.subject
      let isDeleted = try answering { () throws(StorageError) in
        try store.delete(id, owner: owner)
      }
      guard isDeleted else { throw Failure.noModel(id) }
      deleted(id)
      return .data(
        ["model_id": .string(id), "deleted": true, "user_id": .string(owner)],
        message: "Model deleted successfully"
      )
    }
    export
    single
    incoming
  }

  private var list: Route {
    .get(
      "/v1/models",
      scope: .read,
      summary: "List your models, the newest first",
      parameters: [
        .query("limit", .integer("Models on a page", 1...50, default: 10)),
        .query("offset", .integer("Models to pass over", 0...1_000_000_000, default: 0)),
        .query(
          "phase",
          .string(allowed: PhaseName.allCases.map(\.rawValue) + [ModelListing.imported]),
          "The phase that made them, or import"
        ),
        .query(
          "status",
          .string("Default all", allowed: ModelListing.Status.allCases.map(\.rawValue))
        ),
      ],
      answer: .object([
        "models": .array(
          .any(of: [ModelRecord.schema, TrainRoutes.run]),
          "Runs that are no models yet come first, in the form of /v1/models/train"
        ), "total_count": .integer(), "user_id": .string(),
        "limit": .integer(), "offset": .integer(),
      ])
    ) { [store, runs] request in
      let owner = request.caller.subject
      let listing = try request.validateQuery(unknown: .refused) { fields in
        ModelListing(&fields, owner: owner)
      }
      do {
        return .data(try listing.page(store, runs), message: "Models retrieved successfully")
      } catch let error as StorageError {
        throw answering.thrown(error)
      }
    }
  }

  private var export: Route {
    Route(
      "GET",
      "/v1/models/{id}/export",
      scope: .read,
      description: RouteDescription(
        "Download a model as a tar archive that PyTorch's libraries read",
        parameters: [Self.id],
        plainAnswers: ["application/x-tar": .binary],
        statuses: Self.missing
      )
    ) { [store] request in
      let isHead = request.method == "HEAD"
      return try ModelExport(try Self.find(request, store), store).archive(isHead: isHead)
    }
  }

  private var single: Route {
    Route(
      "GET",
      "/v1/models/{id}/files/{name}",
      scope: .read,
      description: RouteDescription(
        "Download one file of a model",
        parameters: [
          Self.id, .path("name", .string(allowed: ModelFolder.File.allCases.map(\.rawValue))),
        ],
        plainAnswers: ["*/*": .binary],
        statuses: Self.missing
      )
    ) { [store] request in
      let isHead = request.method == "HEAD"
      let record = try Self.find(request, store)
      guard let file = ModelFolder.File(rawValue: request.parameter("name")) else {
        let names = ModelFolder.File.allCases.map(\.rawValue).joined(separator: ", ")
        throw Failure.notFound("A model has the files \(names) and no other.")
      }
      return try ModelExport(record, store, [file]).single(isHead: isHead)
    }
  }

  private var incoming: Route {
    let description = RouteDescription(
      "Bring a model in",
      details: """
        An uncompressed tar archive of `config.json` and `model.safetensors` of a Llama with tied embeddings, with \
        `tokenizer.json` unless its vocabulary is the 256 bytes and 16 specials, and `forge.json` when it was exported \
        here. `?name=` names it.
        """,
      parameters: [.query("name", .string("What it is to be called", 1...ModelCard.longestName))],
      body: .binary,
      contentType: "application/x-tar",
      answer: ModelRecord.schema,
      status: 201,
      statuses: [
        413: "The archive is larger than allowed", 415: "It is not sent as a tar archive",
        422: "VALIDATION_ERROR: it is no model that runs here", 507: "STORAGE_FULL",
      ]
    )
    let limits = Route.Limits(
      maxBody: importLimit,
      maxInFlight: Self.maxImports,
      timeout: .seconds(300)
    )
    return Route(
      upload: "POST",
      "/v1/models/import",
      scope: .write,
      description: description,
      limits: limits
    ) { [store, importLimit] request in
      let head = ModelImport.Head(
        contentType: request.field("Content-Type") ?? "",
        length: request.announcedLength,
        owner: request.caller.subject,
        name: try request.query("name")
      )
      return try ModelImport(head, store, limit: importLimit)
    }
  }

  private static let id = Parameter.path("id", .string(format: "uuid"), "The model's id")
  private static let missing: [UInt16: String] = [404: "There is no such model of the caller's"]

  private static func find(
    _ request: borrowing Request,
    _ store: ModelStore
  ) throws -> ModelRecord {
    let id = request.parameter("id")
    let owner = request.caller.subject
    let record = try answering { () throws(StorageError) in try store.record(id, owner: owner) }
    guard let record else { throw Failure.noModel(id) }
    return record
  }
}
