import GatewayPlugin

/// What readers of the API are told about runs.
extension TrainRoutes {
  static let id = Parameter.path("task_id", .string(format: "uuid"), "As the training was given")

  static func body(_ phases: [String]) -> Schema {
    .object(
      [
        "phase_name": .string("Which phase", allowed: phases),
        "real_training": .boolean("Default true; false plans, measures and trains nothing"),
        "max_steps": .integer("", 1...1_000_000, default: 2000),
        "batch_size": .integer("Sequences in one step", 1...512, default: 2),
        "parameters": parameters,
      ],
      required: ["phase_name"]
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
    "step": .integer(), "steps": .integer(), "loss": .number("In nats a token"),
    "validation_loss": .number(), "tokens_per_second": .number(),
    "cpu_seconds": .number("Processor time of all its threads, over all attempts"),
    "eta_seconds": .number(),
    "attempts": .integer("How often it was started"), "error": .string(),
    "base_models": .array(.string()), "data": .array(.string()), "pipeline_id": .string(),
    "user_id": .string(), "created_at": .string(format: "date-time"),
    "started_at": .string(format: "date-time"), "finished_at": .string(format: "date-time"),
    "progress_url": .string(), "logs_url": .string(), "queue_position": .integer(),
    "progress": .object([
      "overall_progress": .number("0 to 1"), "current_phase_progress": .number("0 to 1"),
      "phases_completed": .integer(), "total_phases": .integer(),
      "estimated_time_remaining": .string(),
    ]),
    "metrics": .object([
      "loss": .number(), "validation_loss": .number(), "learning_rate": .number(),
      "batch_size": .integer(), "current_step": .integer(), "total_steps": .integer(),
      "tokens_per_second": .number(),
    ]),
    "models": .array(.string(), "What it made"),
    "loss_curve": .array(
      .object([
        "step": .integer(), "loss": .number(), "validation_loss": .number(),
        "learning_rate": .number(), "tokens_per_second": .number(), "details": .object([:]),
      ]),
      "Thinned evenly",
      0...RunStore.maxPoints
    ),
    "report": .object([:], "What the phase measured, or what a dry run planned"),
  ])
}
