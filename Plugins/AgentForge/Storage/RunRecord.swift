package import GatewayPlugin
import PluginStorage

/// One run as it is stored.
package struct RunRecord: Sendable, Equatable {
  /// Where a run is in its life.
  package enum Status: String, Sendable, CaseIterable {
    /// For the run before it in its pipeline.
    case waiting
    /// For a free place.
    case queued
    /// Also between two lives of the process: it goes on from its checkpoint.
    case running
    case completed
    case failed
    case cancelled

    /// Whether nothing more happens to it by itself.
    package var isOver: Bool { self == .completed || self == .failed || self == .cancelled }
  }

  /// A UUID.
  package var id: String
  /// Whose it is.
  package var owner: String
  package var phase: PhaseName
  /// What its owner calls it; also the name of the models it makes.
  package var name: String
  package var status = Status.queued
  /// False for a dry run, which plans and trains nothing.
  package var isReal: Bool
  package var order: PhaseOrder
  /// The request's `parameters` as they came.
  package var parameters: JSON
  /// Ids of the models it consumes.
  package var models: [String]
  /// Ids of the files it reads; none for the phase's own data.
  package var files: [String]
  /// In how many parts a batch is split.
  package var shards: Int
  /// The pipeline it belongs to, and its place there from 0.
  package var pipeline: String?
  package var place = 0
  package var step = 0
  package var steps: Int
  package var loss: Double?
  package var validationLoss: Double?
  package var learningRate: Double?
  package var tokensPerSecond = 0.0
  package var etaSeconds: Double?
  /// Bytes that its plan asks for, once there is one.
  package var memoryEstimated: Int?
  /// Nanoseconds of all its threads so far, over all attempts.
  package var processorTime = 0
  /// The most bytes of its buffers at once so far.
  package var memoryPeak = 0
  package var events = 0
  package var attempts = 0
  package var futileAttempts = 0
  /// Why it failed or was cancelled: a sentence.
  package var error: String?
  /// What the phase measured, or, of a dry run, its plan.
  package var report: JSON?
  package var createdAt: Int64 = 0
  package var startedAt: Int64?
  package var finishedAt: Int64?

  /// A run that has not begun.
  package init(
    id: String,
    owner: String,
    phase: PhaseName,
    isReal: Bool,
    order: PhaseOrder,
    parameters: JSON,
    models: [String],
    files: [String],
    shards: Int
  ) {
    self.id = id
    self.owner = owner
    self.phase = phase
    self.isReal = isReal
    self.order = order
    self.parameters = parameters
    self.models = models
    self.files = files
    self.shards = shards
    name = order.modelName
    steps = order.maxSteps
  }
}

// MARK: - In the database

extension RunRecord {
  static let columns = """
    id, owner, phase, name, status, real_training, phase_order, parameters, models, files, shards,
    pipeline, place, step, steps, loss, validation_loss, learning_rate, tokens_per_second,
    eta_seconds, memory_estimated, events, attempts, futile_attempts, error, report, created_at,
    started_at, finished_at, processor_time, memory_peak
    """

  /// The run of a row of `columns`; `nil` when this build does not know its phase or status.
  init?(_ row: Row) {
    guard let phase = PhaseName(row.text(2)), let status = Status(rawValue: row.text(4)) else {
      return nil
    }
    let order = Self.stored(row.text(6))
    self.init(
      id: row.text(0),
      owner: row.text(1),
      phase: phase,
      isReal: row.flag(5),
      order: PhaseOrder(stored: order, name: row.text(3)),
      parameters: Self.stored(row.text(7)),
      models: Self.texts(row.text(8)),
      files: Self.texts(row.text(9)),
      shards: row.count(10)
    )
    self.status = status
    pipeline = row.optionalText(11)
    place = row.count(12)
    step = row.count(13)
    steps = row.count(14)
    loss = row.optionalReal(15)
    validationLoss = row.optionalReal(16)
    learningRate = row.optionalReal(17)
    tokensPerSecond = row.real(18)
    etaSeconds = row.optionalReal(19)
    memoryEstimated = row.optionalInteger(20).map { Int($0) }
    events = row.count(21)
    attempts = row.count(22)
    futileAttempts = row.count(23)
    error = row.optionalText(24)
    report = row.optionalText(25).map(Self.stored)
    createdAt = row.integer(26)
    startedAt = row.optionalInteger(27)
    finishedAt = row.optionalInteger(28)
    processorTime = row.count(29)
    memoryPeak = row.count(30)
  }

  /// JSON that this plugin wrote itself.
  static func stored(_ text: String) -> JSON { (try? JSON.parse(text)) ?? .null }

  private static func texts(_ text: String) -> [String] {
    stored(text).asArray?.compactMap(\.asString) ?? []
  }

  /// Ids as a JSON array.
  static func array(_ texts: [String]) -> SQLValue {
    .text(JSON.array(texts.map { .string($0) }).text)
  }

  func insert(_ connection: inout Connection) throws(StorageError) {
    try connection.run(
      """
      INSERT INTO runs (id, owner, phase, name, status, real_training, phase_order, parameters,
        models, files, shards, pipeline, place, steps, created_at)
      VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
      """,
      [
        .text(id), .text(owner), .text(phase.rawValue), .text(name), .text(status.rawValue),
        .flag(isReal), .text(order.json.text), .text(parameters.text), Self.array(models),
        Self.array(files), .count(shards), .optional(pipeline), .count(place), .count(steps),
        .integer(createdAt),
      ]
    )
  }
}

extension PhaseOrder {
  /// As it is stored beside the run's name.
  fileprivate var json: JSON {
    [
      "max_steps": .integer(Int64(maxSteps)), "batch_size": .integer(Int64(batchSize)),
      "seed": .string(String(seed)),
    ]
  }

  fileprivate init(stored json: JSON, name: String) {
    self.init(
      maxSteps: Int(json["max_steps"]?.asInteger ?? 1),
      batchSize: Int(json["batch_size"]?.asInteger ?? 1),
      seed: json["seed"]?.asString.flatMap { UInt64($0) } ?? 0,
      modelName: name
    )
  }
}

extension SQLValue {
  /// A number, or NULL for `nil` and for what is none.
  static func optional(_ number: Double?) -> SQLValue {
    guard let number, number.isFinite else { return .null }
    return .real(number)
  }
}
