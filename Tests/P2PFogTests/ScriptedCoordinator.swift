import GatewayPlugin
import Glibc
import Peering
import PluginStorage
import Synchronization

@testable import P2PFog

/// A coordinator and the network to it, in memory: keeps what a node tells, and fails when a test says so.
final class ScriptedCoordinator: PeerCalls {
  struct Finish: Equatable {
    var outcome: String
    var exitCode: Int?
    var reason: String
    var usage: Usage
  }

  struct Book {
    var handlers: [String: @Sendable (PeerID, CallBody) throws(CallFailure) -> CallBody] = [:]
    var files: [String: [UInt8]] = [:]
    var registrations: [NodeReport] = []
    var reports: [NodeReport] = []
    var beats: [[JSON]] = []
    var cancels: [String: String] = [:]
    /// By lease: bytes, and the streams they came from.
    var logs: [String: [UInt8]] = [:]
    var streams: [String: [String: [UInt8]]] = [:]
    /// By lease and path.
    var outputs: [String: [String: [UInt8]]] = [:]
    var digests: [String: String] = [:]
    var finishes: [String: [Finish]] = [:]
    var calls: [(method: String, at: UInt64)] = []
    /// Asked before each call; what it gives is thrown.
    var failure: (@Sendable (String, Int) -> CallFailure?)?
    /// Asked after a call was done: its answer is lost.
    var losesAnswer: (@Sendable (String, Int) -> Bool)?
    /// Microseconds that a call takes.
    var delay: (@Sendable (String) -> UInt32)?
    var heartbeatSeconds = 0.1
    var counts: [String: Int] = [:]
  }

  let own: PeerID
  /// The other end.
  let peer: PeerID
  let book = Mutex(Book())

  init(own: PeerID = ScriptedCoordinator.id(1), peer: PeerID = ScriptedCoordinator.id(2)) {
    self.own = own
    self.peer = peer
  }

  static func id(_ number: UInt8) -> PeerID {
    guard let id = PeerID([UInt8](repeating: number, count: 32)) else { fatalError("32 bytes") }
    return id
  }

  func serve(
    _ method: String,
    _ handler: @escaping @Sendable (PeerID, CallBody) throws(CallFailure) -> CallBody
  ) {
    book.withLock { $0.handlers[method] = handler }
  }

  /// Calls the node.
  func ask(_ method: String, _ json: JSON, from peer: PeerID? = nil) throws(CallFailure) -> CallBody
  {
    guard let handler = book.withLock({ $0.handlers[method] }) else {
      throw .refused(code: "UNKNOWN_METHOD", message: method)
    }
    return try handler(peer ?? self.peer, CallBody(json))
  }

  func call(
    _ peer: PeerID,
    _ method: String,
    _ body: CallBody,
    timeout: Duration
  ) throws(CallFailure) -> CallBody {
    let (failure, isLost) = book.withLock { book in
      let count = book.counts[method, default: 0]
      book.counts[method] = count + 1
      book.calls.append((method, Clock.monotonic()))
      return (book.failure?(method, count), book.losesAnswer?(method, count) ?? false)
    }
    let delay = book.withLock { $0.delay }?(method) ?? 0
    if delay > 0 { usleep(delay) }
    if let failure { throw failure }
    guard peer == self.peer else { throw .unreachable("no such peer") }
    let answer = try book.withLock { (book) throws(CallFailure) in
      try Self.answer(method, body, &book)
    }
    if isLost { throw .timeout }
    return answer
  }

  private static func answer(
    _ method: String,
    _ body: CallBody,
    _ book: inout Book
  ) throws(CallFailure) -> CallBody {
    let lease = body.json["lease_id"]?.asString ?? ""
    switch method {
    case "fog.register":
      book.registrations.append(try report(body))
      return CallBody(["heartbeat_seconds": .number(book.heartbeatSeconds)])
    case "fog.heartbeat":
      book.reports.append(try report(body))
      let leases = body.json["leases"]?.asArray ?? []
      book.beats.append(leases)
      let named = leases.compactMap { $0["lease_id"]?.asString }
      let cancels = book.cancels.filter { named.contains($0.key) }
      return CallBody([
        "cancel": .array(
          cancels.map { ["lease_id": .string($0.key), "reason": .string($0.value)] }
        )
      ])
    case "fog.input":
      guard let bytes = book.files[body.json["file_id"]?.asString ?? ""],
        let offset = body.json["offset"]?.asInteger, let length = body.json["length"]?.asInteger,
        length <= 262_144
      else { throw .refused(code: "NOT_FOUND", message: "no such file") }
      let piece = bytes.dropFirst(Int(offset)).prefix(Int(length))
      return CallBody(["size": .integer(Int64(bytes.count))], bytes: Array(piece))
    case "fog.log": return log(lease, body, &book)
    case "fog.output": return try output(lease, body, &book)
    case "fog.finish":
      var fields = Fields(body.json["usage"] ?? .null)
      book.finishes[lease, default: []].append(
        Finish(
          outcome: body.json["outcome"]?.asString ?? "",
          exitCode: body.json["exit_code"]?.asInteger.map { Int($0) },
          reason: body.json["reason"]?.asString ?? "",
          usage: Usage(&fields)
        )
      )
      return CallBody()
    default: throw .refused(code: "UNKNOWN_METHOD", message: method)
    }
  }

  private static func report(_ body: CallBody) throws(CallFailure) -> NodeReport {
    var fields = Fields(body.json["report"] ?? .null)
    let report = NodeReport(&fields)
    do { try fields.finish() } catch {
      throw .refused(code: "VALIDATION_ERROR", message: "\(error)")
    }
    return report
  }

  private static func log(_ lease: String, _ body: CallBody, _ book: inout Book) -> CallBody {
    let offset = Int(body.json["offset"]?.asInteger ?? 0)
    let stream = body.json["stream"]?.asString ?? ""
    let known = book.logs[lease]?.count ?? 0
    if offset <= known {
      let fresh = Array(body.bytes.dropFirst(known - offset))
      book.logs[lease, default: []] += fresh
      book.streams[lease, default: [:]][stream, default: []] += fresh
    }
    return CallBody(["offset": .integer(Int64(book.logs[lease]?.count ?? 0))])
  }

  private static func output(
    _ lease: String,
    _ body: CallBody,
    _ book: inout Book
  ) throws(CallFailure) -> CallBody {
    let path = body.json["path"]?.asString ?? ""
    let offset = Int(body.json["offset"]?.asInteger ?? 0)
    guard body.bytes.count <= 256 << 10, !path.isEmpty else {
      throw .refused(code: "VALIDATION_ERROR", message: "too many bytes")
    }
    var file = book.outputs[lease]?[path] ?? []
    if offset <= file.count { file += body.bytes.dropFirst(file.count - offset) }
    book.outputs[lease, default: [:]][path] = file
    book.digests["\(lease)/\(path)"] = body.json["sha256"]?.asString
    return CallBody(["offset": .integer(Int64(file.count))])
  }

  // MARK: - What it was told

  func text(_ lease: String, _ stream: String = "stdout") -> String {
    book.withLock { String(decoding: $0.streams[lease]?[stream] ?? [], as: UTF8.self) }
  }

  func finish(_ lease: String) -> Finish? { book.withLock { $0.finishes[lease]?.first } }

  func output(_ lease: String, _ path: String) -> [UInt8]? {
    book.withLock { $0.outputs[lease]?[path] }
  }
}
