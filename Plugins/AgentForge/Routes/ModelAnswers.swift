import GatewayPlugin
import PluginStorage

extension ModelRecord {
  /// As a list shows it.
  var json: JSON { .object(members) }

  /// The members of what a list shows.
  var members: [JSON.Member] {
    let time = JSON.string(Timestamp.text(nanoseconds: createdAt, milliseconds: true))
    let shown: KeyValuePairs<String, JSON> = [
      "model_id": .string(id), "name": .string(name), "status": "completed",
      "phase": .string(phase),
      "phases_completed": .array(phasesCompleted.map { .string($0) }), "user_id": .string(owner),
      "task_id": run.isEmpty ? .null : .string(run),
      "parents": .array(parents.map { .string($0) }),
      "parameters": .integer(Int64(shape.parameterCount)),
      "size_bytes": .integer(Int64(bytes)), "context_length": .integer(Int64(shape.context)),
      "template": .string(template.rawValue), "form": .string(form.rawValue), "metrics": metrics,
      "data_fingerprint": dataFingerprint.isEmpty ? .null : .string(dataFingerprint),
      "created_at": time, "completed_at": time, "download_url": .string("\(path)/export"),
    ]
    return shown.map { JSON.Member(name: $0.key, value: $0.value) }
  }

  /// As the route of one model shows it.
  ///
  /// - Parameter store: Where its parents and files are.
  /// - Returns: What a list shows, its sizes, its files and its lineage.
  /// - Throws: `StorageError`.
  func details(_ store: ModelStore) throws(StorageError) -> JSON {
    var files: [JSON] = []
    for file in ModelFolder.File.allCases {
      guard let size = try store.folder(id).size(of: file) else { continue }
      files.append([
        "name": .string(file.rawValue), "size_bytes": .integer(Int64(size)),
        "download_url": .string("\(path)/files/\(file.rawValue)"),
      ])
    }
    var lineage = Lineage(store: store, owner: owner)
    let tree = try lineage.tree(of: self, depth: 0)
    return .object(
      members + [
        .init(name: "config", value: shape.json), .init(name: "files", value: .array(files)),
        .init(name: "lineage", value: tree),
      ]
    )
  }

  private var path: String { "/v1/models/\(id)" }

  /// What is told of a model.
  static let schema = Schema.object([
    "model_id": .string(format: "uuid"), "name": .string(),
    "status": .string(allowed: ModelListing.Status.allCases.map(\.rawValue)),
    "phase": .string("The phase that made it, or import"),
    "phases_completed": .array(.string(), "Its own and its ancestors', in order"),
    "user_id": .string(), "task_id": Schema.string("The run that made it").orNull,
    "parents": .array(.string(format: "uuid")), "parameters": .integer("Numbers it has learnt"),
    "size_bytes": .integer("Of all files"), "context_length": .integer("Most tokens it reads"),
    "template": .string(allowed: LanguageModel.Template.allCases.map(\.rawValue)),
    "form": .string(allowed: LanguageModel.Form.allCases.map(\.rawValue)),
    "metrics": .object([:], "What was measured of it"),
    "data_fingerprint": Schema.string("SHA-256 of the data it learnt from").orNull,
    "created_at": .string(format: "date-time"), "completed_at": .string(format: "date-time"),
    "download_url": .string(),
  ])
}

/// A model's ancestors as a tree, cut where it grows too large for an answer.
private struct Lineage {
  private static let maxDepth = 16
  private static let maxModels = 64

  let store: ModelStore
  let owner: String
  private var models = 0

  init(store: ModelStore, owner: String) {
    self.store = store
    self.owner = owner
  }

  mutating func tree(of record: ModelRecord, depth: Int) throws(StorageError) -> JSON {
    models += 1
    var parents: [JSON] = []
    var isCut = false
    for id in record.parents {
      guard depth < Self.maxDepth, models < Self.maxModels else {
        isCut = true
        break
      }
      if let parent = try store.record(id, owner: owner) {
        parents.append(try tree(of: parent, depth: depth + 1))
      } else {
        models += 1
        parents.append(["model_id": .string(id), "exists": false])
      }
    }
    return [
      "model_id": .string(record.id), "name": .string(record.name),
      "phase": .string(record.phase), "exists": true, "parents": .array(parents),
      "truncated": .bool(isCut),
    ]
  }
}
