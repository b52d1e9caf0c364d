package import GatewayPlugin
import PluginStorage

/// Reads what is to be trained, of one run or of a pipeline, and finds every fault of it.
package struct TrainRequest {
  private let owner: String
  private let around: RunSurroundings
  private let shards: Int
  /// What kept models or files from being looked up; the first.
  private var trouble: (any Error)?

  /// Reads for `owner`, whose models and files may be named.
  ///
  /// - Parameters:
  ///   - owner: The caller.
  ///   - around: Phases, models and files.
  ///   - shards: In how many parts a batch is split at most.
  package init(owner: String, around: RunSurroundings, shards: Int) {
    self.owner = owner
    self.around = around
    self.shards = shards
  }

  /// The run that a body of `POST /v1/models/train` asks for.
  ///
  /// - Parameter json: The body.
  /// - Returns: A run with a new id.
  /// - Throws: 422 with every fault, 503 when files cannot be looked up, `StorageError`.
  package mutating func run(_ json: JSON) throws -> RunRecord {
    var fields = Fields(Self.withParameters(json))
    let run = run(&fields, isFirst: true)
    return try checked(fields, run)
  }

  /// The runs that a body of `POST /v1/pipeline/run` asks for, in their order and of one pipeline.
  ///
  /// - Parameter json: The body.
  /// - Returns: Runs with new ids; all but the first wait.
  /// - Throws: 422 with every fault, 503 when files cannot be looked up, `StorageError`.
  package mutating func pipeline(_ json: JSON) throws -> [RunRecord] {
    var fields = Fields(Self.withPhases(json))
    readCommon(&fields)
    var runs: [RunRecord?] = []
    var reader = self
    _ = fields.objects("phases", 1...Self.maxPhases) { part in
      runs.append(reader.run(&part, isFirst: runs.isEmpty))
    }
    self = reader
    if let place = runs.dropLast().firstIndex(where: { $0?.isReal == false }) {
      let isShared = fields.json("real_training")?.asBool == false
      fields.refuse(
        isShared ? "real_training" : "phases[\(place)].real_training",
        "must be true for several phases: a dry run makes no models for the next; try one phase"
      )
    }
    let pipeline = UUID4.make()
    return try checked(
      fields,
      runs.enumerated().map { place, run in
        var run = run
        run?.pipeline = pipeline
        run?.place = place
        if place > 0 { run?.status = .waiting }
        return run
      }
    ).compactMap(\.self)
  }

  /// Phases of one pipeline.
  package static let maxPhases = 16

  private func checked<Value>(_ fields: Fields, _ value: Value?) throws -> Value {
    try fields.finish()
    if let trouble { throw trouble }
    guard let value else { preconditionFailure("a refused request has a fault") }
    return value
  }

  // MARK: - One run

  private mutating func run(_ fields: inout Fields, isFirst: Bool) -> RunRecord? {
    let type = phase(&fields)
    let isReal = fields.bool("real_training", default: true)
    let steps = fields.integer("max_steps", 1...1_000_000, default: 2000)
    let batch = fields.integer("batch_size", 1...512, default: 2)
    let parameters = fields.json("parameters") ?? [:]
    guard let type else { return nil }
    var reader = self
    let read = fields.optionalObject("parameters") { part in
      let common = CommonParameters(&part)
      reader.check(common, type, isFirst: isFirst, &part)
      let id = UUID4.make()
      let order = PhaseOrder(
        maxSteps: steps,
        batchSize: batch,
        seed: common.seed,
        modelName: common.name ?? "\(type.name.rawValue)-\(id.prefix(8))"
      )
      // Made for its faults alone; the run makes it again.
      _ = type.init(order, &part)
      return (id, common, order)
    }
    self = reader
    guard let (id, common, order) = read else { return nil }
    return RunRecord(
      id: id,
      owner: owner,
      phase: type.name,
      isReal: isReal,
      order: order,
      parameters: parameters,
      models: common.models,
      files: common.files,
      shards: min(shards, batch)
    )
  }

  private func phase(_ fields: inout Fields) -> (any Phase.Type)? {
    guard fields.json("phase_name") != nil else {
      _ = fields.string("phase_name", 1...64)
      return nil
    }
    let text = fields.string("phase_name", 1...64)
    if let name = PhaseName(text), let type = around.phase(name) { return type }
    let allowed = around.catalogue.map { $0.name.rawValue }
    // An empty or endless name is refused already.
    if !text.isEmpty {
      fields.refuse(
        "phase_name",
        "must be one of \(allowed.joined(separator: ", "))",
        allowed: allowed
      )
    }
    return nil
  }

  private mutating func check(
    _ common: CommonParameters,
    _ type: any Phase.Type,
    isFirst: Bool,
    _ fields: inout Fields
  ) {
    let field = common.modelsField
    if isFirst {
      if !type.inputs.contains(common.models.count) {
        fields.refuse(
          field,
          "must be \(Self.words(type.inputs)) of your models for \(type.name.rawValue), not \(common.models.count)"
        )
      }
      for (index, id) in common.models.enumerated() where !hasModel(id) {
        fields.refuse("\(field)[\(index)]", "there is no model \(id) among yours")
      }
    } else if !common.models.isEmpty {
      fields.refuse(field, "must be absent: the phase before it makes them")
    }
    checkFiles(common.files, &fields)
  }

  private static func words(_ range: ClosedRange<Int>) -> String {
    range.count == 1 ? "\(range.lowerBound)" : "\(range.lowerBound) to \(range.upperBound)"
  }

  private mutating func hasModel(_ id: String) -> Bool {
    guard trouble == nil else { return true }
    do { return try around.hasModel(id, owner) } catch {
      trouble = error
      return true
    }
  }

  private mutating func checkFiles(_ ids: [String], _ fields: inout Fields) {
    var bytes = 0
    for (index, id) in ids.enumerated() where trouble == nil {
      let found: TrainingFiles.Description?
      do { found = try around.files.describe(id, owner: owner) } catch {
        trouble = error
        return
      }
      guard let file = found else {
        fields.refuse("data[\(index)]", "there is no file \(id) among yours")
        continue
      }
      bytes += file.size
      if !file.isText {
        fields.refuse("data[\(index)]", "is \(file.contentType); give a file of text")
      }
    }
    if bytes > TrainingFiles.maxBytes {
      fields.refuse("data", "has \(bytes) bytes and may have \(TrainingFiles.maxBytes)")
    }
  }

  // MARK: - A pipeline's body

  /// Members beside `phases`; each phase has them too, unless it says otherwise.
  private static let shared = ["max_steps", "batch_size", "real_training"]

  private mutating func readCommon(_ fields: inout Fields) {
    for name in Self.shared { _ = fields.json(name) }
    _ = fields.optionalObject("parameters") { part in
      _ = CommonParameters(&part)
    }
  }

  /// The body with an object for each phase that has what stands beside `phases`.
  private static func withPhases(_ json: JSON) -> JSON {
    guard let members = json.asMembers, let phases = json["phases"]?.asArray else { return json }
    let filled = phases.enumerated().map { place, phase in
      var phase =
        phase.asString.map { JSON.object([.init(name: "phase_name", value: .string($0))]) }
        ?? phase
      for name in shared { phase = phase.filling(name, json[name]) }
      guard phase.asMembers != nil else { return phase }
      var common = json["parameters"] ?? .null
      if place > 0 { common = common.without(["models", "base_models"]) }
      return withParameters(phase, common)
    }
    return .object(
      members.map { $0.name == "phases" ? .init(name: "phases", value: .array(filled)) : $0 }
    )
  }

  /// The object with a member `parameters`, filled up from `common`.
  private static func withParameters(_ json: JSON, _ common: JSON = [:]) -> JSON {
    // As everywhere, null is the same as absent.
    var own = json["parameters"] ?? .null
    if own == .null { own = [:] }
    for member in common.asMembers ?? [] { own = own.filling(member.name, member.value) }
    guard let members = json.asMembers else { return json }
    return .object(
      members.filter { $0.name != "parameters" } + [.init(name: "parameters", value: own)]
    )
  }
}

extension JSON {
  /// An object with a member more, if it has none of that name, or only null.
  fileprivate func filling(_ name: String, _ value: JSON?) -> JSON {
    guard let value, let members = asMembers, self[name] ?? .null == .null else { return self }
    return .object(members.filter { $0.name != name } + [.init(name: name, value: value)])
  }

  /// An object without members of these names.
  fileprivate func without(_ names: [String]) -> JSON {
    guard let members = asMembers else { return self }
    return .object(members.filter { !names.contains($0.name) })
  }
}
