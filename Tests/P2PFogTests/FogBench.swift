import GatewayPlugin
import Peering
import PluginStorage
import Synchronization
import Testing

@testable import P2PFog

/// A coordinator with scripted nodes, a ledger in memory and a clock that the test moves; all on the test's thread.
///
/// The process can be killed at any call that leaves the coordinator or reaches it: what is on the disk then is what the next
/// one begins with, and whatever the old one still does reaches nobody.
final class FogBench: @unchecked Sendable {
  // One test uses one bench on one thread; the lock is for the closures, which must be Sendable.
  struct Shared {
    var monotonic: UInt64 = 1_000_000_000_000
    var wall: UInt64 = 1_800_000_000_000
    var works: [@Sendable () -> Void] = []
    var handlers: [String: Handler] = [:]
    var events: [(payload: JSON, subject: String?)] = []
    /// What another thread does while the next event is on its way.
    var meanwhile: (@Sendable () -> Void)?
    var measures: [Surroundings.Measure] = []
    var warnings: [String] = []
    var generation = 0
    var boundaries = 0
    var crashAt: Int?
    var mayBeNode: @Sendable (PeerID) -> Bool = { _ in true }
    var filesRefusal: HostRefusal?
  }

  typealias Handler = @Sendable (PeerID, CallBody) throws(CallFailure) -> CallBody

  let shared = Mutex(Shared())
  let ledger: FakeLedger
  var nodes: [ScriptedNode]
  var settings: FogSettings
  private(set) var folder = FogFolder()
  private var nextFolder: FogFolder?
  private var running: Coordinator?
  /// Files of `ada`.
  var files: [String: String] = ["bundle": "a bundle", "data": "0123456789"]

  init(
    nodes: [ScriptedNode] = [ScriptedNode(1), ScriptedNode(2)],
    ledger: FakeLedger = FakeLedger(),
    _ change: (inout FogSettings) -> Void = { _ in }
  ) throws {
    self.nodes = nodes
    self.ledger = ledger
    var settings = FogSettings()
    settings.minFreeBytes = 0
    change(&settings)
    self.settings = settings
    try start()
    beat()
  }

  var coordinator: Coordinator {
    guard let running else { fatalError("no coordinator runs") }
    return running
  }

  // MARK: - Life of the process

  private func start() throws {
    let schema = DatabaseSchema(steps: [FogTables.create])
    let database = try Database(path: folder.path + "/fog.sqlite", schema: schema, readers: 1)
    running = try Coordinator(
      around: surroundings(),
      database: database,
      directory: folder.path + "/fog",
      settings: settings
    )
    try coordinator.activate()
  }

  /// Kills the process at once.
  func kill() {
    nextFolder = folder.copy()
    shared.withLock {
      $0.generation += 1
      $0.works = []
      $0.handlers = [:]
    }
  }

  /// Starts the next process, if one was killed.
  func restart() throws {
    guard let next = nextFolder else { return }
    nextFolder = nil
    folder = next
    try start()
  }

  /// Starts the next generation beside the one that runs, on the same files.
  func replace() throws {
    try start()
    beat()
  }

  private func boundary() {
    let isDue = shared.withLock { shared in
      shared.boundaries += 1
      return shared.boundaries == shared.crashAt
    }
    if isDue { kill() }
  }

  private func isAlive(_ generation: Int) -> Bool {
    shared.withLock { $0.generation == generation }
  }

  private func surroundings() -> Surroundings {
    let generation = shared.withLock { $0.generation }
    return Surroundings(
      calls: Calls(bench: self, generation: generation),
      mayBeNode: { [unowned self] peer in shared.withLock { $0.mayBeNode }(peer) },
      ledger: { [unowned self] (method, argument) throws(HostRefusal) in
        boundary()
        guard isAlive(generation) else { throw .gone }
        let answer = try ledger.call(method, argument)
        boundary()
        guard isAlive(generation) else { throw .gone }
        return answer
      },
      files: { [unowned self] (method, argument, subject) throws(HostRefusal) in
        try serveFile(method, argument, subject)
      },
      publish: { [unowned self] payload, subject in
        guard isAlive(generation) else { return }
        let meanwhile = shared.withLock { shared in
          defer { shared.meanwhile = nil }
          return shared.meanwhile
        }
        meanwhile?()
        shared.withLock { $0.events.append((payload, subject)) }
      },
      later: { [unowned self] work in
        guard isAlive(generation) else { return false }
        shared.withLock { $0.works.append(work) }
        return true
      },
      now: { [unowned self] in now },
      warn: { [unowned self] what, why in shared.withLock { $0.warnings.append("\(what) \(why)") }
      },
      measure: { [unowned self] measure in shared.withLock { $0.measures.append(measure) } }
    )
  }

  private struct Calls: PeerCalls {
    unowned let bench: FogBench
    let generation: Int
    let own = ScriptedNode(1).id

    func call(
      _ peer: PeerID,
      _ method: String,
      _ body: CallBody,
      timeout: Duration
    ) throws(CallFailure) -> CallBody {
      bench.boundary()
      guard bench.isAlive(generation) else { throw .timeout }
      guard let index = bench.nodes.firstIndex(where: { $0.id == peer }) else {
        throw .unreachable("there is no such peer")
      }
      let answer = try bench.nodes[index].answer(method, body, now: bench.now.monotonic)
      bench.boundary()
      guard bench.isAlive(generation) else { throw .timeout }
      return answer
    }

    func serve(_ method: String, _ handler: @escaping Handler) {
      bench.shared.withLock { $0.handlers[method] = handler }
    }
  }

  /// A call of a node to the coordinator.
  func send(_ peer: PeerID, _ method: String, _ body: CallBody) throws(CallFailure) -> CallBody {
    guard let handler = shared.withLock({ $0.handlers[method] }) else {
      throw .unreachable("nobody serves \(method)")
    }
    let generation = shared.withLock { $0.generation }
    let answer = try handler(peer, body)
    boundary()
    guard isAlive(generation) else { throw .timeout }
    return answer
  }

  private func serveFile(
    _ method: String,
    _ argument: JSON,
    _ subject: String
  ) throws(HostRefusal) -> JSON {
    if let refusal = shared.withLock({ $0.filesRefusal }) { throw refusal }
    guard let id = argument["file_id"]?.asString else { throw .argument }
    guard subject == "ada", let text = files[id] else { throw .notFound }
    let bytes = Array(text.utf8)
    if method == "describe" {
      return [
        "file_id": .string(id), "filename": .string("\(id).txt"),
        "size": .integer(Int64(bytes.count)), "content_type": "text/plain",
        "sha256": .string(SHA256.hexadecimal(of: text)),
      ]
    }
    let offset = Int(argument["offset"]?.asInteger ?? 0)
    let length = Int(argument["length"]?.asInteger ?? 0)
    let piece = Array(bytes[min(offset, bytes.count)..<min(bytes.count, offset + length)])
    return ["data": .string(Base64.encode(piece)), "size": .integer(Int64(bytes.count))]
  }

  // MARK: - What tests do

  var now: Moment { shared.withLock { Moment(monotonic: $0.monotonic, wall: $0.wall) } }

  func pass(_ milliseconds: Int) {
    shared.withLock {
      $0.monotonic += UInt64(milliseconds) * 1_000_000
      $0.wall += UInt64(milliseconds)
    }
  }

  /// Runs what the coordinator wanted to be run, and what that wants.
  func work() {
    while let work = shared.withLock({ $0.works.isEmpty ? nil : $0.works.removeFirst() }) { work() }
  }

  /// Each node's heartbeat.
  func beat() {
    for index in nodes.indices {
      // The coordinator calls nodes from `work` alone, so nothing changes this one meanwhile.
      var node = nodes[index]
      let id = node.id
      node.beat(now.monotonic) { (method, body) throws(CallFailure) in
        try send(id, method, body)
      }
      nodes[index] = node
    }
    work()
  }

  /// A bit of time, with everything that happens in it; a killed process is started again.
  func step(_ milliseconds: Int = 250) throws {
    pass(milliseconds)
    beat()
    try restart()
    coordinator.tick()
    work()
    try restart()
    _ = coordinator.settle()
    try restart()
  }

  /// Goes on until `condition` holds.
  func run(atMost steps: Int = 400, until condition: () throws -> Bool) throws {
    for _ in 0..<steps {
      if try condition() { return }
      try step()
    }
    Issue.record("it did not happen within \(steps) steps")
  }

  /// A submission that every node can have.
  static func body(_ more: [(String, JSON)] = []) -> JSON {
    var members: [JSON.Member] = [
      .init(name: "job_name", value: "a job"), .init(name: "job_type", value: "train"),
      .init(name: "requirements", value: ["cpu_cores": 1, "memory_mb": 1024]),
    ]
    for (name, value) in more {
      members.removeAll { $0.name == name }
      members.append(.init(name: name, value: value))
    }
    return .object(members)
  }

  @discardableResult
  func submit(
    _ more: [(String, JSON)] = [],
    owner: String = "ada",
    key: String? = nil
  ) throws -> FogJob {
    let job = try coordinator.submit(Self.body(more), key: key, owner: owner).job
    work()
    return job
  }

  func job(_ id: String) throws -> FogJob { try coordinator.job(id, owner: nil) }
  func status(_ id: String) throws -> FogJob.Status { try job(id).status }

  /// Offers that nodes did not take.
  var refusedOffers: Int {
    shared.withLock { shared in
      shared.measures.count { if case .offerRefused = $0 { true } else { false } }
    }
  }

  func events(_ job: String) -> [String] {
    shared.withLock { shared in
      shared.events.filter { $0.payload["job_id"]?.asString == job }
        .compactMap { $0.payload["status"]?.asString }
    }
  }

  /// The failure that a submission meets.
  func refusal(
    _ more: [(String, JSON)] = [],
    owner: String = "ada",
    key: String? = nil
  ) -> Failure? {
    do {
      try submit(more, owner: owner, key: key)
      return nil
    } catch {
      return error as? Failure
    }
  }
}

extension Failure {
  /// Fields of a validation error.
  var badFields: [String] { details?.asArray?.compactMap { $0["field"]?.asString } ?? [] }
  var reasons: [String] { details?.asArray?.compactMap { $0["reason"]?.asString } ?? [] }
}
