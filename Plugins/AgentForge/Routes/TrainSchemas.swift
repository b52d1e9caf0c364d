import GatewayPlugin

/// What readers of the API are told about runs.
extension TrainRoutes {
  static let id = Parameter.path("task_id", .string(format: "uuid"), "As the training was given")

  static let missing: [UInt16: String] = [404: "There is no such run among the caller's"]

  static func body(_ phases: [String]) -> Schema {
    .object(
      [
        "phase_name": .string("Which phase", allowed: phases),
        "real_training": .boolean("Default true; false plans, measures and trains nothing"),
        "max_steps": .integer("", 1...1_000_000, default: 2000),
        "batch_size": .integer("Sequences in one step", 1...512, default: 2),
        "parameters": parameters,
      ],
      required: ["phase_name"],
      unknown: .refused
    )
  }

  /// The common parameters.
  static let parameters = Schema.object(
    [
      "models": .array(
        .string(format: "uuid"),
        "Your models it begins from; also base_models",
        0...CommonParameters.maxModels
      ),
      "data": .array(
        .string(format: "uuid"),
        "Your uploads it learns from; without any, a corpus of the plugin's own",
        0...TrainingFiles.maxFiles
      ),
      "name": .string("What the models made are called", 1...100),
      "seed": .integer("Decides every random choice", 0...Int.max, default: 1),
    ],
    "Further members belong to the phase"
  )

  /// A run.
  static let run = Schema.object([
    "task_id": .string(format: "uuid"), "name": .string(),
    "status": .string(allowed: RunRecord.Status.allCases.map(\.rawValue)),
    "phase": .string(), "current_phase": .string(), "real_training": .boolean(),
    "step": .integer(), "steps": .integer(), "loss": Schema.number("In nats a token").orNull,
    "validation_loss": Schema.number().orNull, "tokens_per_second": Schema.number().orNull,
    "cpu_seconds": .number("Processor time of all its threads, over all attempts"),
    "eta_seconds": Schema.number().orNull, "seed": .string("Of all random choices"),
    "attempts": .integer("How often it was started"), "error": Schema.string().orNull,
    "base_models": .array(.string()), "data": .array(.string()),
    "pipeline_id": Schema.string().orNull,
    "user_id": .string(), "created_at": .string(format: "date-time"),
    "started_at": Schema.string(format: "date-time").orNull,
    "finished_at": Schema.string(format: "date-time").orNull,
    "progress_url": .string(), "logs_url": .string(), "queue_position": .integer(),
    "progress": .object([
      "overall_progress": .number("0 to 1"), "current_phase_progress": .number("0 to 1"),
      "phases_completed": .integer(), "total_phases": .integer(),
      "estimated_time_remaining": Schema.string().orNull,
    ]),
    "metrics": .object([
      "loss": Schema.number().orNull, "validation_loss": Schema.number().orNull,
      "learning_rate": Schema.number().orNull, "batch_size": .integer(),
      "current_step": .integer(), "total_steps": .integer(),
      "tokens_per_second": Schema.number().orNull,
    ]),
    "models": .array(.string(), "What it made"),
    "loss_curve": .array(
      .object([
        "step": .integer(), "loss": Schema.number().orNull,
        "validation_loss": Schema.number().orNull, "learning_rate": Schema.number().orNull,
        "tokens_per_second": Schema.number().orNull, "details": Schema.object([:]).orNull,
      ]),
      "Thinned evenly",
      0...RunStore.maxPoints
    ),
    "report": Schema.object([:], "What the phase measured, or what a dry run planned").orNull,
  ])
}
