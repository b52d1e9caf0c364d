import GatewayPlugin
import PluginStorage
import StorageAnswers

/// The routes under `/v1/pipeline`.
struct PipelineRoutes {
  let runs: TrainAnswers
  let shards: Int

  @ListBuilder<Route> var all: [Route] {
    start
    Route.get(
      "/v1/pipeline/{pipeline_id}",
      scope: .read,
      summary: "Show how far a pipeline is",
      parameters: [Self.id],
      answer: Self.pipeline,
      statuses: [404: "There is no such pipeline among the caller's"]
    ) { [runs] request in
      let id = request.parameter("pipeline_id")
      return .data(
        runs.answers.pipeline(id, try Self.stages(request, runs)),
        message: "Pipeline retrieved successfully"
      )
    }
    Route.post(
      "/v1/pipeline/{pipeline_id}/cancel",
      scope: .write,
      summary: "End a pipeline: the run it is at, and all that wait for it",
      parameters: [Self.id],
      answer: Self.pipeline,
      statuses: [404: "There is no such pipeline among the caller's", 409: "It is over already"]
    ) { [runs] request in
      let id = request.parameter("pipeline_id")
      let stages = try Self.stages(request, runs)
      var hasEnded = false
      for stage in stages where !hasEnded {
        let ended = try answering { () throws(StorageError) in
          try runs.queue.cancel(stage.id, owner: stage.owner)
        }
        hasEnded = ended != nil
      }
      guard hasEnded else { throw Failure.conflict("The pipeline is over already.") }
      return .data(
        runs.answers.pipeline(id, try Self.stages(request, runs)),
        message: "Pipeline cancelled"
      )
    }
  }

  private var start: Route {
    .post(
      "/v1/pipeline/run",
      scope: .write,
      summary: "Run several phases; each takes the models of the one before it",
      body: Self.body(runs.queue.around.catalogue.map { $0.name.rawValue }),
      answer: Self.pipeline,
      statuses: [507: "STORAGE_FULL"]
    ) { [runs, shards] request in
      let owner = request.caller.subject
      var reader = TrainRequest(owner: owner, around: runs.queue.around, shards: shards)
      let stages = try reader.pipeline(try request.json())
      try runs.add(stages)
      let id = stages[0].pipeline ?? ""
      let stored = try answering { () throws(StorageError) in
        try runs.queue.store.pipeline(id, owner: owner)
      }
      return .data(runs.answers.pipeline(id, stored), message: "Pipeline started")
    }
  }

  private static func stages(
    _ request: borrowing Request,
    _ runs: TrainAnswers
  ) throws -> [RunRecord] {
    let id = request.parameter("pipeline_id")
    let owner = TrainAnswers.owner(request.caller)
    let stages = try answering { () throws(StorageError) in
      try runs.queue.store.pipeline(id, owner: owner)
    }
    guard !stages.isEmpty else {
      throw Failure.notFound("There is no pipeline \(id.prefix(utf8: 64)) among yours.")
    }
    return stages
  }

  private static let id = Parameter.path("pipeline_id", .string(format: "uuid"))

  private static func body(_ phases: [String]) -> Schema {
    .object(
      [
        "phases": .array(
          Schema(json: [
            "oneOf": [
              Schema.string("", allowed: phases).json, TrainRoutes.body(phases).json,
            ]
          ]),
          "In their order: names, or objects as for /v1/models/train",
          1...TrainRequest.maxPhases
        ),
        "real_training": .boolean("For phases that do not say it themselves"),
        "max_steps": .integer("Likewise", 1...1_000_000, default: 2000),
        "batch_size": .integer("Likewise", 1...512, default: 2),
        "parameters": TrainRoutes.parameters,
      ],
      required: ["phases"],
      unknown: .refused
    )
  }

  private static let pipeline = Schema.object([
    "pipeline_id": .string(format: "uuid"),
    "status": .string(allowed: RunRecord.Status.allCases.map(\.rawValue)),
    "current_phase": Schema.string("Of the run it is at").orNull, "error": Schema.string().orNull,
    "progress": .object([
      "overall_progress": .number("0 to 1"), "phases_completed": .integer(),
      "total_phases": .integer(),
    ]),
    "tasks": .array(TrainRoutes.run, "One a phase, in order"), "user_id": .string(),
    "progress_url": .string(),
  ])
}
