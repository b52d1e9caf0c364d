package import GatewayPlugin
import PluginStorage

/// Which models are listed.
package struct ModelListing: Sendable, Equatable {
  /// How far a model is.
  package enum Status: String, Sendable, CaseIterable {
    /// A run that makes models is waiting or under way.
    case training
    /// The model is there.
    case completed
    /// A run ended without the models it was to make.
    case failed
    /// Whatever its state.
    case all
  }

  /// Runs of an owner that are not models yet, the newest first: objects as the list shows them, with `status`
  /// (`training` or `failed`) and `phase`.
  package typealias Runs = @Sendable (_ owner: String) throws -> [JSON]

  /// The phase of a model that was brought in.
  package static let imported = "import"

  package let owner: String
  package var phase: String?
  package var status = Status.all
  package var limit = 10
  package var offset = 0

  /// Reads the query of a list.
  ///
  /// - Parameters:
  ///   - fields: The query; every bad name is noted there.
  ///   - owner: Who asks.
  package init(_ fields: inout Fields, owner: String) {
    self.owner = owner
    limit = fields.integer("limit", 1...50, default: 10)
    offset = fields.integer("offset", 0...1_000_000_000, default: 0)
    let states = Status.allCases.map(\.rawValue)
    status = Status(rawValue: fields.choice("status", states, default: "all")) ?? .all
    guard let name = fields.optionalString("phase", 1...64) else { return }
    phase = name == Self.imported ? name : PhaseName(name)?.rawValue
    if phase == nil {
      let known = PhaseName.allCases.map(\.rawValue) + [Self.imported]
      fields.refuse("phase", "must be one of \(known.joined(separator: ", "))", allowed: known)
    }
  }

  /// The page: runs first, then models, each the newest first.
  ///
  /// - Parameters:
  ///   - store: Gives the models.
  ///   - runs: Gives the runs that are not models yet.
  /// - Returns: The member `data` of the answer.
  /// - Throws: `StorageError`, and what `runs` throws.
  package func page(_ store: ModelStore, _ runs: Runs) throws -> JSON {
    var waiting: [JSON] = []
    if status != .completed {
      waiting = try runs(owner).filter { run in
        (status == .all || run["status"]?.asString == status.rawValue)
          && (phase == nil || run["phase"]?.asString.flatMap { PhaseName($0)?.rawValue } == phase)
      }
    }
    var models = Array(waiting.dropFirst(offset).prefix(limit))
    var total = waiting.count
    if status == .completed || status == .all {
      let stored = try store.list(
        owner: owner,
        phase: phase,
        limit: limit - models.count,
        offset: max(0, offset - waiting.count)
      )
      models += stored.records.map(\.json)
      total += stored.total
    }
    return [
      "models": .array(models), "total_count": .integer(Int64(total)), "user_id": .string(owner),
      "limit": .integer(Int64(limit)), "offset": .integer(Int64(offset)),
    ]
  }
}
