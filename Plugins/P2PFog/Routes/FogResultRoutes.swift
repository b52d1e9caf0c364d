import GatewayPlugin
import Glibc
import PluginStorage
import StorageAnswers

/// The routes of what a job has made: its files and its log.
struct FogResultRoutes {
  /// Bytes sent at once.
  private static let pieceBytes = 64 * 1024

  let coordinator: Coordinator

  // Whoever follows a log, or reads slowly, holds one of the gateway's threads for plugins: some must be left for all else.
  private let followers = Seats(
    "logs are followed",
    total: 3,
    perUser: 2,
    advice: "read without follow, "
  )
  // Those that follow among them: one more, so that a log can be read while as many as may be are followed.
  private let readers = Seats("logs are sent", total: 4, perUser: 3)
  private let downloads = Seats("result files are sent", total: 3, perUser: 2)

  /// An open file that several references may share.
  private final class Source: Sendable {
    let file: OpenFile
    init(_ file: consuming OpenFile) { self.file = file }
  }

  @ListBuilder<Route> var all: [Route] {
    Route.get(
      "/v1/fog/jobs/{job_id}/files",
      scope: .read,
      summary: "List the result files of a job",
      parameters: [FogJobRoutes.id],
      answer: .object([
        "job_id": .string(),
        "files": .array(
          .object(["path": .string(), "size": .integer(), "sha256": .string()])
        ), "total_count": .integer(), "content_url": .string("To which a path is added"),
      ]),
      statuses: [404: "There is no such job among the caller's"]
    ) { [coordinator] request in
      let id = request.parameter("job_id")
      let job = try coordinator.job(id, owner: request.caller.fogOwner)
      let files = try coordinator.resultFiles(job)
      return .data(
        [
          "job_id": .string(job.id), "files": .array(files.map(\.json)),
          "total_count": .integer(Int64(files.count)),
          "content_url": .string("/v1/fog/jobs/\(job.id)/files/content?path="),
        ],
        message: "Result files retrieved"
      )
    }
    Route(
      "GET",
      "/v1/fog/jobs/{job_id}/files/content",
      scope: .read,
      description: RouteDescription(
        "Download a result file",
        parameters: [
          FogJobRoutes.id, .query("path", .string("As listed", 1...1024), required: true),
        ],
        plainAnswers: ["application/octet-stream": .binary],
        statuses: [404: "There is no such job among the caller's, or no such file of it"]
      )
    ) { [self] request in try content(request) }
    Route.delete(
      "/v1/fog/jobs/{job_id}/files",
      scope: .write,
      summary: "Delete the result files of a job that is over",
      parameters: [FogJobRoutes.id],
      answer: .object(["job_id": .string(), "deleted_files": .integer()]),
      statuses: [404: "There is no such job among the caller's", 409: "It is not over yet"]
    ) { [coordinator] request in
      let id = request.parameter("job_id")
      let count = try coordinator.deleteResults(id, owner: request.caller.fogOwner)
      return .data(
        ["job_id": .string(id), "deleted_files": .integer(Int64(count))],
        message: "Result files deleted"
      )
    }
    logs
  }

  private func content(_ request: borrowing Request) throws -> Response {
    let id = request.parameter("job_id")
    let job = try coordinator.job(id, owner: request.caller.fogOwner)
    let path = try request.validateQuery(unknown: .refused) { $0.string("path", 1...1024) }
    let known = try coordinator.resultFiles(job).first { $0.path == path }
    guard let known, let lease = job.lease, let checked = ResultPath(known.path) else {
      throw Failure.notFound("The job has no result file of that path; list them at /files.")
    }
    let source = Source(
      try answering { () throws(StorageError) in
        try coordinator.results.open(job.id, lease, checked)
      }
    )
    let fields: HeaderFields = [
      // What a job made is saved, never shown as a page of this site.
      "Content-Type": "application/octet-stream", "Content-Disposition": "attachment",
      "Content-Security-Policy": "sandbox; default-src 'none'", "ETag": "\"\(known.sha256)\"",
      "Cache-Control": "private, no-cache",
    ]
    if request.method == "HEAD" { return .stream(fields: fields, length: known.size) { _ in } }
    let seat = try downloads.take(request.caller.subject)
    return .stream(fields: fields, length: known.size) { writer in
      // Free when the client has it all, or has gone.
      defer { _ = seat }
      var at = 0
      while at < known.size, !writer.isCancelled {
        let piece = try source.file.read(at: at, count: min(Self.pieceBytes, known.size - at))
        guard !piece.isEmpty else { throw StorageError.system(call: "pread", code: EIO) }
        try writer.write(piece)
        at += piece.count
      }
    }
  }

  // MARK: - Logs

  private var logs: Route {
    let description = RouteDescription(
      "Read the log of a job's newest attempt; follow it to its end",
      parameters: [
        FogJobRoutes.id,
        .query("follow", .boolean("Go on until the job is over")),
        .query("offset", .integer("Bytes to pass over", 0...(1 << 40), default: 0)),
      ],
      plainAnswers: ["text/plain": .string("As the job wrote it")],
      statuses: [404: "There is no such job among the caller's"]
    )
    return Route(
      "GET",
      "/v1/fog/jobs/{job_id}/logs",
      scope: .read,
      description: description,
      limits: Route.Limits(timeout: .seconds(3600))
    ) { [coordinator, followers, readers] request in
      let (follows, offset) = try request.validateQuery(unknown: .refused) { fields in
        (fields.bool("follow", default: false), fields.integer("offset", 0...(1 << 40), default: 0))
      }
      let id = request.parameter("job_id")
      let owner = request.caller.fogOwner
      let job = try coordinator.job(id, owner: owner)
      let fields: HeaderFields = [
        "Content-Type": "text/plain; charset=utf-8", "Cache-Control": "no-store",
      ]
      if request.method == "HEAD" {
        return .bytes([], contentType: "text/plain; charset=utf-8")
      }
      let user = request.caller.subject
      // Taken first: a follower of too many is told so, not that it reads too many.
      let seats = [try follows ? followers.take(user) : nil, try readers.take(user)]
      return .stream(fields: fields) { writer in
        defer { _ = seats }
        if follows {
          try Self.follow(coordinator, id, owner, from: offset, to: writer)
        } else if let lease = job.lease {
          _ = try Self.send(coordinator, job.id, lease, from: offset, to: writer)
        }
      }
    }
  }

  /// Sends what a lease's log has from `offset` on; gives where it ends.
  private static func send(
    _ coordinator: Coordinator,
    _ job: String,
    _ lease: String,
    from offset: Int,
    to writer: borrowing ResponseWriter
  ) throws -> Int {
    guard let file = try coordinator.results.openLog(job, lease) else { return offset }
    var at = offset
    while !writer.isCancelled {
      let piece = try file.read(at: at, count: pieceBytes)
      if piece.isEmpty { break }
      try writer.write(piece)
      at += piece.count
    }
    return at
  }

  private static func follow(
    _ coordinator: Coordinator,
    _ id: String,
    _ owner: String?,
    from offset: Int,
    to writer: borrowing ResponseWriter
  ) throws {
    var lease: String?
    var at = offset
    while !writer.isCancelled, !coordinator.rests {
      let job = try coordinator.job(id, owner: owner)
      if let current = job.lease {
        // Another attempt has a log of its own.
        if let lease, lease != current {
          at = 0
          try writer.write("\n[attempt \(job.attempts)]\n")
        }
        lease = current
        at = try send(coordinator, id, current, from: at, to: writer)
      }
      if job.status.isOver { return }
      // A thread of the host's, which no condition of ours could wake: the log is looked at again and again.
      usleep(100_000)
    }
  }
}
