import GatewayPlugin
import PluginStorage
import StorageAnswers

/// The routes under `/v1/models/train`.
struct TrainRoutes {
  let runs: TrainAnswers
  let shards: Int

  @ListBuilder<Route> var all: [Route] {
    start
    list
    show("/v1/models/train/{task_id}")
    show("/v1/models/train/{task_id}/status")
    logs
    cancel
    resume
  }

  private var start: Route {
    .post(
      "/v1/models/train",
      scope: .write,
      summary: "Train a model: one phase, as a run that goes on by itself",
      body: Self.body(runs.queue.around.catalogue.map { $0.name.rawValue }),
      answer: .object([
        "task_id": .string(format: "uuid"), "phase": .string(),
        "status": .string(allowed: ["started"]), "real_training": .boolean(),
        "user_id": .string(), "progress_url": .string(),
        "estimated_duration": Schema.string().orNull,
        "queue_position": .integer("Only when it waits for a free place"),
      ]),
      statuses: [507: "STORAGE_FULL"]
    ) { [runs, shards] request in
      let owner = request.caller.subject
      var reader = TrainRequest(owner: owner, around: runs.queue.around, shards: shards)
      let run = try reader.run(try request.json())
      try runs.add([run])
      let position = try answering { () throws(StorageError) in
        try runs.queue.store.position(run.id)
      }
      var answer: [JSON.Member] = [
        .init(name: "task_id", value: .string(run.id)),
        .init(name: "phase", value: .string(run.phase.rawValue)),
        .init(name: "status", value: "started"),
        .init(name: "real_training", value: .bool(run.isReal)),
        .init(name: "user_id", value: .string(owner)),
        .init(name: "progress_url", value: .string("/v1/models/train/\(run.id)")),
        .init(name: "estimated_duration", value: .null),
      ]
      if let position {
        answer.append(.init(name: "queue_position", value: .integer(Int64(position))))
      }
      return .data(
        .object(answer),
        message: "Training started for phase \(run.phase.rawValue)"
      )
    }
  }

  private var list: Route {
    .get(
      "/v1/models/train",
      scope: .read,
      summary: "List your runs, the newest first (with scope admin: everyone's)",
      parameters: [
        .query("limit", .integer("Runs on a page", 1...100, default: 20)),
        .query("offset", .integer("Runs to pass over", 0...1_000_000_000, default: 0)),
        .query("status", .string(allowed: RunRecord.Status.allCases.map(\.rawValue))),
        .query("phase", .string(allowed: PhaseName.allCases.map(\.rawValue))),
      ],
      answer: .object([
        "tasks": .array(Self.run), "total_count": .integer(), "limit": .integer(),
        "offset": .integer(), "user_id": .string(),
      ])
    ) { [runs] request in
      let caller = request.caller
      let listing = try request.validateQuery(unknown: .refused) { fields in
        Self.listing(&fields, owner: TrainAnswers.owner(caller))
      }
      let page = try answering { () throws(StorageError) in
        try runs.queue.store.list(listing)
      }
      return .data(
        [
          "tasks": .array(page.runs.map(runs.answers.summary)),
          "total_count": .integer(Int64(page.total)), "limit": .integer(Int64(listing.limit)),
          "offset": .integer(Int64(listing.offset)), "user_id": .string(caller.subject),
        ],
        message: "Runs retrieved successfully"
      )
    }
  }

  private static func listing(_ fields: inout Fields, owner: String?) -> RunStore.Listing {
    var listing = RunStore.Listing(owner: owner)
    listing.limit = fields.integer("limit", 1...100, default: 20)
    listing.offset = fields.integer("offset", 0...1_000_000_000, default: 0)
    let states = RunRecord.Status.allCases.map(\.rawValue)
    if fields.json("status") != nil {
      listing.status = RunRecord.Status(rawValue: fields.choice("status", states))
    }
    if let text = fields.optionalString("phase", 1...64) {
      let phases = PhaseName.allCases.map(\.rawValue)
      listing.phase = PhaseName(text)
      if listing.phase == nil {
        fields.refuse(
          "phase",
          "must be one of \(phases.joined(separator: ", "))",
          allowed: phases
        )
      }
    }
    return listing
  }

  private func show(_ pattern: String) -> Route {
    .get(
      pattern,
      scope: .read,
      summary: "Show how far a run is, with its loss curve and what it made",
      parameters: [Self.id],
      answer: Self.run,
      statuses: Self.missing
    ) { [runs] request in
      let run = try runs.run(request)
      let detail = try answering { () throws(StorageError) in
        try runs.answers.detail(run)
      }
      return .data(detail, message: "Run retrieved successfully")
    }
  }

  private var logs: Route {
    .get(
      "/v1/models/train/{task_id}/logs",
      scope: .read,
      summary: "Read a run's log, the oldest line first",
      parameters: [
        Self.id, .query("limit", .integer("Lines on a page", 1...1000, default: 100)),
        .query("offset", .integer("Lines to pass over", 0...1_000_000_000, default: 0)),
      ],
      answer: .object([
        "task_id": .string(), "total_count": .integer(), "limit": .integer(),
        "offset": .integer(),
        "logs": .array(
          .object([
            "sequence": .integer(), "timestamp": .string(format: "date-time"),
            "line": .string(),
          ])
        ),
      ]),
      statuses: Self.missing
    ) { [runs] request in
      let (limit, offset) = try request.validateQuery(unknown: .refused) { fields in
        (
          fields.integer("limit", 1...1000, default: 100),
          fields.integer("offset", 0...1_000_000_000, default: 0)
        )
      }
      let run = try runs.run(request)
      let page = try answering { () throws(StorageError) in
        try runs.queue.store.lines(run.id, limit: limit, offset: offset)
      }
      let lines = page.lines.map { line in
        JSON.object([
          .init(name: "sequence", value: .integer(Int64(line.sequence))),
          .init(name: "timestamp", value: .time(line.at)),
          .init(name: "line", value: .string(line.text)),
        ])
      }
      return .data(
        [
          "task_id": .string(run.id), "logs": .array(lines),
          "total_count": .integer(Int64(page.total)), "limit": .integer(Int64(limit)),
          "offset": .integer(Int64(offset)),
        ],
        message: "Logs retrieved successfully"
      )
    }
  }

  private var cancel: Route {
    .post(
      "/v1/models/train/{task_id}/cancel",
      scope: .write,
      summary: "End a run; its models so far stay, and it can be resumed",
      parameters: [Self.id],
      answer: Self.run,
      statuses: Self.missing.merging([409: "It is over already"]) { $1 }
    ) { [runs] request in
      let run = try runs.run(request)
      let ended = try answering { () throws(StorageError) in
        try runs.queue.cancel(run.id, owner: run.owner)
      }
      guard ended != nil else {
        throw Failure.conflict("The run is \(try runs.run(request).status.rawValue) already.")
      }
      return .data(runs.answers.summary(try runs.run(request)), message: "Run cancelled")
    }
  }

  private var resume: Route {
    .post(
      "/v1/models/train/{task_id}/resume",
      scope: .write,
      summary: "Go on with a failed or cancelled run, from its last checkpoint if it has one",
      parameters: [Self.id],
      answer: Self.run,
      statuses: Self.missing.merging([409: "It is not failed or cancelled"]) { $1 }
    ) { [runs] request in
      let run = try runs.run(request)
      try runs.checkRoom()
      let resumption = try answering { () throws(StorageError) in
        try runs.queue.resume(run.id, owner: run.owner)
      }
      switch resumption {
      case .queued: break
      case .unknown: throw TrainAnswers.noRun(run.id)
      case .isNot(let status):
        throw Failure.conflict(
          "The run is \(status.rawValue); only a failed or cancelled one can be resumed."
        )
      case .needsPredecessor:
        throw Failure.conflict("The run before it in its pipeline is not completed; resume that.")
      case .refused(let admission): try runs.refuse(admission)
      }
      return .data(runs.answers.summary(try runs.run(request)), message: "Run resumed")
    }
  }
}
