import GatewayPlugin
import Glibc
import PluginStorage
import Synchronization

/// The routes of what a job has made: its files and its log.
struct FogResultRoutes {
  /// Bytes sent at once.
  private static let pieceBytes = 64 * 1024
  /// Logs followed at once: each holds one of the gateway's threads for plugins.
  static let mostFollowers = 3
  /// Files sent at once: whoever reads slowly holds a thread of those as well, and some must be left for all else.
  static let mostDownloads = 3

  let coordinator: Coordinator

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
        ), "total_count": .integer(),
      ])
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
    Route.get(
      "/v1/fog/jobs/{job_id}/files/content",
      scope: .read,
      summary: "Download a result file",
      parameters: [
        FogJobRoutes.id, .query("path", .string("As listed", 1...255), "", required: true),
      ],
      limits: Route.Limits(maxInFlight: Self.mostDownloads)
    ) { [coordinator] request in try Self.content(request, coordinator) }
    Route.delete(
      "/v1/fog/jobs/{job_id}/files",
      scope: .write,
      summary: "Delete the result files of a job that is over",
      parameters: [FogJobRoutes.id],
      answer: .object(["job_id": .string(), "deleted_files": .integer()])
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

  private static func content(
    _ request: borrowing Request,
    _ coordinator: Coordinator
  ) throws -> Response {
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
    let isHead = request.method == "HEAD"
    return .stream(fields: fields, length: known.size) { writer in
      if isHead { return }
      var at = 0
      while at < known.size, !writer.isCancelled {
        let piece = try source.file.read(at: at, count: min(pieceBytes, known.size - at))
        guard !piece.isEmpty else { throw StorageError.system(call: "pread", code: EIO) }
        try writer.write(piece)
        at += piece.count
      }
    }
  }

  // MARK: - Logs

  private var logs: Route {
    // As many as follow, however many routes are made of this value.
    let followers = Followers()
    return .get(
      "/v1/fog/jobs/{job_id}/logs",
      scope: .read,
      summary: "Read the log of a job's newest attempt; follow it to its end",
      parameters: [
        FogJobRoutes.id,
        .query("follow", .boolean("Go on until the job is over")),
        .query("offset", .integer("Bytes to pass over", 0...(1 << 40), default: 0)),
      ],
      limits: Route.Limits(maxInFlight: Self.mostFollowers + 1, timeout: .seconds(3600))
    ) { [coordinator] request in
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
      guard follows else {
        return .stream(fields: fields) { writer in
          guard let lease = job.lease else { return }
          _ = try Self.send(coordinator, job.id, lease, from: offset, to: writer)
        }
      }
      guard let seat = followers.take() else {
        throw Failure.unavailable(
          "\(Self.mostFollowers) logs are followed already; read without follow, or try again.",
          retryAfter: .seconds(5)
        )
      }
      return .stream(fields: fields) { writer in
        try Self.follow(coordinator, id, owner, from: offset, to: writer)
        _ = seat
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

/// How many follow a log.
private final class Followers: Sendable {
  /// One of them; free again when it goes.
  final class Seat: Sendable {
    private let all: Followers
    init(_ all: Followers) { self.all = all }
    deinit { all.count.withLock { $0 -= 1 } }
  }

  private let count = Mutex(0)

  /// A seat; `nil` when all are taken.
  func take() -> Seat? {
    let isTaken = count.withLock { count in
      guard count < FogResultRoutes.mostFollowers else { return false }
      count += 1
      return true
    }
    return isTaken ? Seat(self) : nil
  }
}
