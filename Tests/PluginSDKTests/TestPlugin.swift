import CGatewayPlugin
import GatewayPlugin
import Synchronization
import Testing

/// A plugin whose parts a test gives, found by the setting `test`.
final class TestPlugin: StateKeeping, JobMoving, SelfTesting {
  struct Parts: Sendable {
    var settings = ""
    var start: @Sendable (Host) throws -> Void = { _ in }
    var routes: @Sendable (Host) -> [Route] = { _ in [] }
    var checks: [HealthCheck] = []
    var activate: @Sendable () throws -> Void = {}
    var resume: @Sendable () -> Void = {}
    var selfTest: @Sendable () throws -> Void = {}
    var lives = Lives()
  }

  static let identity = PluginIdentity(id: "test", version: "1.2.3", description: "Is tested.")
  static let stateSchema = StateSchema("org.example.test", writes: 2, reads: 1...2)
  static let waiting = Mutex<[Int: Parts]>([:])
  private static let next = Atomic<Int>(0)

  let parts: Parts
  let host: Host
  let restored = Mutex<[UInt8]>(Array("fresh".utf8))

  init(host: Host) throws {
    let number = try host.settings.read { settings in
      _ = settings.json("extra")
      return settings.integer("test", 0...Int.max)
    }
    guard let parts = Self.waiting.withLock({ $0.removeValue(forKey: number) }) else {
      throw PluginFailure("no such test")
    }
    self.parts = parts
    self.host = host
    parts.lives.begin()
    try parts.start(host)
  }

  deinit { parts.lives.end() }

  var routes: [Route] { parts.routes(host) }
  var checks: [HealthCheck] { parts.checks }
  func activate() throws { try parts.activate() }
  func resumeJobs() { parts.resume() }
  func selfTest() throws { try parts.selfTest() }
  func snapshot() throws -> [UInt8] { restored.withLock { $0 } }
  func restore(_ state: [UInt8], schema: Int) throws { restored.withLock { $0 = state } }

  /// Leaves `parts` for the next instance, and gives the settings that lead to them.
  static func leave(_ parts: Parts) -> String {
    let number = next.add(1, ordering: .relaxed).newValue
    waiting.withLock { $0[number] = parts }
    return "{\"test\":\(number)}"
  }
}

/// How many objects of a test began and ended.
final class Lives: Sendable {
  private let counts = Mutex((began: 0, ended: 0))
  func begin() { counts.withLock { $0.began += 1 } }
  func end() { counts.withLock { $0.ended += 1 } }
  var began: Int { counts.withLock { $0.began } }
  var ended: Int { counts.withLock { $0.ended } }
}

/// An object that counts in `Lives`.
final class Tracked: Sendable {
  let lives: Lives
  init(_ lives: Lives) {
    self.lives = lives
    lives.begin()
  }
  deinit { lives.end() }
}

/// A host with one instance of `TestPlugin`, made through the C functions.
final class Loaded {
  let host: FakeHost
  let plugin: gw_plugin_v1
  let status: gw_status
  private(set) var this: UnsafeMutableRawPointer?

  init(_ parts: TestPlugin.Parts, on host: FakeHost = FakeHost(), settings: String? = nil) throws {
    self.host = host
    plugin = try #require(TestPlugin.descriptor(1, 0)).pointee
    let arena = Arena()
    defer { arena.free() }
    let settings = settings ?? TestPlugin.leave(parts)
    var raw = host.host
    var made: UnsafeMutableRawPointer?
    status = plugin.create(&raw, arena.bytes(settings), &made)
    this = made
  }

  /// A host with one route.
  convenience init(on host: FakeHost = FakeHost(), route: @escaping @Sendable (Host) -> Route)
    throws
  {
    var parts = TestPlugin.Parts()
    parts.routes = { [route($0)] }
    try self.init(parts, on: host)
    try #require(status == GW_OK)
  }

  func request(id: UInt64 = 1) throws -> FakeExchange {
    let route = try #require(host.record.withLock { $0.routes.first })
    return FakeExchange(route, id: id)
  }

  func destroy() {
    if let this { plugin.destroy(this) }
    this = nil
  }

  deinit { destroy() }
}
