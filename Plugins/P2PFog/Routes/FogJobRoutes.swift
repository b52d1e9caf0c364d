import GatewayPlugin
import PluginStorage
import StorageAnswers

/// The routes under `/v1/fog/jobs`.
struct FogJobRoutes {
  let coordinator: Coordinator

  @ListBuilder<Route> var all: [Route] {
    submit
    list
    show("/v1/fog/jobs/{job_id}")
    show("/v1/fog/jobs/{job_id}/status")
    cancel("POST", "/v1/fog/jobs/{job_id}/cancel")
    cancel("DELETE", "/v1/fog/jobs/{job_id}")
    Route.get(
      "/v1/fog/leases",
      scope: .admin,
      summary: "List what nodes hold just now",
      answer: .object(["leases": .array(.object([:])), "total_count": .integer()])
    ) { [coordinator] _ in
      .data(coordinator.leasesAnswer(), message: "Fog leases retrieved")
    }
  }

  private var submit: Route {
    Route(
      "POST",
      "/v1/fog/jobs",
      scope: .write,
      description: RouteDescription(
        "Submit a job: its longest cost is locked, what it uses is paid",
        details: """
          `process` has `parameters.bundle` (one of `inputs`) and `parameters.command`; `inference` has \
          `parameters.model_id` and `parameters.prompts`; `train` has the body of `/v1/models/train`. The names \
          `job_name`, `job_type`, `privacy_tier`, and of requirements `memory_gb`, `storage_gb` and \
          `estimated_duration_hours`, are taken as well.
          """,
        parameters: [
          .header(
            "Idempotency-Key",
            .string("", 1...128),
            "The same key gives the same job, and makes no second one"
          )
        ],
        body: Self.body,
        answer: Self.submitted,
        status: 202,
        statuses: [
          402: "INSUFFICIENT_BALANCE: what it can cost is not free to lock",
          409: "IDEMPOTENCY_CONFLICT: the key belongs to another job",
          422: "VALIDATION_ERROR, or COST_LIMIT_EXCEEDED: it can cost more than max_cost",
          507: "STORAGE_FULL",
        ]
      ),
      limits: Route.Limits(maxBody: 256 << 10)
    ) { [coordinator] request in
      let (job, isRepeated) = try coordinator.submit(
        try request.json(),
        key: request.field("Idempotency-Key"),
        owner: request.caller.subject
      )
      return .data(
        coordinator.submissionAnswer(job, isRepeated: isRepeated),
        message: isRepeated ? "Job submitted before" : "Job submitted",
        status: 202
      )
    }
  }

  private var list: Route {
    .get(
      "/v1/fog/jobs",
      scope: .read,
      summary: "List your jobs, the newest first (with scope admin: everyone's)",
      parameters: [
        .query("status", .string(allowed: Self.statuses)),
        .query("type", .string(allowed: JobType.allCases.map(\.rawValue))),
        .query("tier", .string(allowed: FogTier.allCases.map(\.rawValue))),
        .query("limit", .integer("Jobs on a page", 1...100, default: 20)),
        .query("offset", .integer("Jobs to pass over", 0...1_000_000_000, default: 0)),
      ],
      answer: .object([
        "jobs": .array(Self.job), "total_count": .integer(), "limit": .integer(),
        "offset": .integer(), "user_id": .string(),
      ])
    ) { [coordinator] request in
      let caller = request.caller
      let listing = try request.validateQuery(unknown: .refused) { fields in
        Self.listing(&fields, owner: caller.fogOwner)
      }
      let page = try answering { () throws(StorageError) in try coordinator.list(listing) }
      return .data(
        [
          "jobs": .array(page.jobs.map(coordinator.summary)),
          "total_count": .integer(Int64(page.total)), "limit": .integer(Int64(listing.limit)),
          "offset": .integer(Int64(listing.offset)), "user_id": .string(caller.subject),
        ],
        message: "Jobs retrieved successfully"
      )
    }
  }

  private static let statuses = FogJob.Status.allCases.filter(\.isTaken).map(\.rawValue)

  static func listing(_ fields: inout Fields, owner: String?) -> Coordinator.Listing {
    var listing = Coordinator.Listing(owner: owner)
    if fields.json("status") != nil {
      listing.status = FogJob.Status(rawValue: fields.choice("status", statuses))
    }
    if fields.json("type") != nil {
      listing.type = JobType(rawValue: fields.choice("type", JobType.allCases.map(\.rawValue)))
    }
    if fields.json("tier") != nil {
      listing.tier = FogTier(rawValue: fields.choice("tier", FogTier.allCases.map(\.rawValue)))
    }
    listing.limit = fields.integer("limit", 1...100, default: 20)
    listing.offset = fields.integer("offset", 0...1_000_000_000, default: 0)
    return listing
  }

  private func show(_ pattern: String) -> Route {
    .get(
      pattern,
      scope: .read,
      summary: "Show how far a job is, where and why there, and what it costs",
      parameters: [Self.id],
      answer: Self.job,
      statuses: [404: "There is no such job among the caller's"]
    ) { [coordinator] request in
      let id = request.parameter("job_id")
      let job = try coordinator.job(id, owner: request.caller.fogOwner)
      return .data(try coordinator.detail(job), message: "Job retrieved successfully")
    }
  }

  private func cancel(_ method: String, _ pattern: String) -> Route {
    Route(
      method,
      pattern,
      scope: .write,
      description: RouteDescription(
        "Cancel a job; what it has used is paid",
        parameters: [Self.id],
        answer: Self.job,
        statuses: [404: "There is no such job among the caller's", 409: "It is over already"]
      )
    ) { [coordinator] request in
      let id = request.parameter("job_id")
      let job = try coordinator.cancel(id, owner: request.caller.fogOwner)
      return .data(coordinator.summary(job), message: "Job \(job.id) cancelled successfully")
    }
  }

  static let id = Parameter.path("job_id", .string(format: "uuid"))

  /// What a job may ask of a node.
  static let requirements = Schema.object([
    "cpu_cores": .number("1 when absent", 0.1...1024),
    "memory_mb": .integer("", 16...16_777_216, default: 512),
    "disk_mb": .integer("For inputs and results", 1...16_777_216, default: 256),
    "gpu_count": .integer("For type process alone", 0...64, default: 0),
    "max_duration_s": .integer("It is ended then", 1...604_800, default: 300),
    "capabilities": .array(.string("", 1...128), "All of which the node must have", 0...32),
  ])

  private static let body = Schema.object(
    [
      "name": .string("", 1...128), "type": .string(allowed: JobType.allCases.map(\.rawValue)),
      "tier": .string("bronze when absent", allowed: FogTier.allCases.map(\.rawValue)),
      "requirements": requirements,
      "inputs": .array(
        .string("", 1...128),
        "Ids of your files (POST /v1/upload), each once",
        0...JobRequest.maxInputs
      ),
      "parameters": .object([:], "By type"),
      "deadline": .string("It fails when it has not ended by then", format: "date-time"),
      "max_cost": .string(
        "In FOG, like \"2.5\": refused when it can cost more",
        pattern: #"^[0-9]{1,9}(\.[0-9]{1,18})?$"#
      ),
      "quote_id": .string("Of POST /v1/fog/quotes: binds the price", 1...64),
    ],
    required: ["name", "type", "parameters"]
  )

  private static let submitted = Schema.object([
    "job_id": .string(format: "uuid"), "status": .string(), "assigned_node": Schema.string().orNull,
    "estimated_start_time": Schema.string(format: "date-time").orNull,
    "estimated_completion_time": Schema.string(format: "date-time").orNull,
    "cost_estimate": .object([
      "compute_cost": .string(), "storage_cost": .string(), "network_cost": .string(),
      "total_cost": .string(),
    ]), "price_per_core_hour": .string(), "locked": .boolean("Whether the cost is locked"),
    "progress_url": .string(), "placement": Schema.object([:]).orNull,
    "repeated": .boolean("Whether the Idempotency-Key came before"),
  ])

  private static let job = Schema.object([
    "job_id": .string(format: "uuid"), "job_name": .string(), "job_type": .string(),
    "tier": .string(), "status": .string(allowed: statuses),
    "assigned_node": Schema.string().orNull, "attempt": .integer(),
    "created_at": .string(format: "date-time"),
    "started_at": Schema.string(format: "date-time").orNull,
    "completed_at": Schema.string(format: "date-time").orNull,
    "deadline": Schema.string(format: "date-time").orNull,
    "reason": .string("Why it failed"), "exit_code": Schema.integer().orNull,
    "user_id": .string(),
    "progress": .object([
      "percentage": .number(), "current_stage": .string(), "stages_completed": .array(.string()),
      "estimated_time_remaining": Schema.number("Seconds").orNull,
    ]),
    "requirements": requirements,
    "resource_usage": .object([
      "cpu_utilization": Schema.number().orNull, "memory_usage_gb": Schema.number().orNull,
      "gpu_utilization": Schema.number().orNull, "network_io_mbps": Schema.number().orNull,
      "cpu_ms": .integer(), "wall_ms": .integer(), "output_bytes": .integer(),
    ]),
    "costs": .object([
      "current_cost": .string(), "estimated_final_cost": .string("At the most"),
      "locked": .string("What was locked for it; free again once it is settled"),
      "final_cost": Schema.string().orNull, "sla_credit": .string(),
      "settlement": Schema.object([:]).orNull,
    ]),
    "placement": Schema.object([:]).orNull, "attempts": .array(.object([:])), "logs_url": .string(),
    "files_url": .string(),
  ])
}

extension Caller {
  /// Whose jobs a caller sees; `nil` is everyone's, which takes the scope `admin` itself.
  var fogOwner: String? { scopes.contains(.admin) ? nil : subject }
}
