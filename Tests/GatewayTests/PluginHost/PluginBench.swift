import CGatewayPlugin
import Glibc
import Testing
import Wire

@testable import Gateway

/// A registry over a plugins directory of its own, with a fake server.
final class PluginBench {
  let directory: String
  let settings: Settings
  let server = FakeServer()
  let health = HealthBoard()
  let metrics = MetricsRegistry()
  let registry: PluginRegistry
  private let pool: WorkerPool
  private let writer: LogWriter
  private let logFile: CInt

  /// Makes the registry over `files`, texts by name, after `fixtures` are compiled.
  init(
    _ files: [String: String],
    fixtures: [String] = [],
    probe: PluginProbe? = nil,
    reserved: [(method: String, pattern: PathPattern)] = [],
    jobs: Int = 16
  ) throws {
    for fixture in fixtures { _ = try Fixtures.library(fixture) }
    var template = Array("/tmp/gateway-bench-XXXXXX".utf8CString)
    try #require(mkdtemp(&template) != nil)
    directory = String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    var settings = Settings()
    settings.dataDirectory = "\(directory)/data"
    settings.pluginsDirectory = "\(directory)/plugins.d"
    settings.libraryDirectory = Fixtures.directory
    settings.limits.jobsPerPlugin = jobs
    self.settings = settings
    mkdir(settings.pluginsDirectory, 0o700)
    for (name, text) in files {
      let file = open("\(settings.pluginsDirectory)/\(name)", O_WRONLY | O_CREAT, 0o600)
      try Directory.writeAll(file, Array(text.utf8)[...])
      close(file)
    }
    logFile = open("\(directory)/log", O_WRONLY | O_CREAT | O_APPEND, 0o600)
    writer = try LogWriter(output: logFile)
    pool = try WorkerPool(threads: 4, queue: 64)
    registry = try PluginRegistry(
      settings: settings,
      log: Log(writer: writer, level: .debug, format: .text),
      sink: server,
      outlet: server,
      pool: pool,
      metrics: metrics,
      health: health,
      reserved: reserved,
      probe: probe
    )
  }

  /// Ends everything and gives what was logged.
  @discardableResult
  func end(limit: Duration = .seconds(5)) throws -> String {
    registry.shutDown(limit: limit)
    pool.shutDown()
    writer.close()
    close(logFile)
    let log = try FileBytes.read("\(directory)/log", limit: 1 << 20)
    Directory.removeAll(directory)
    return String(decoding: log, as: UTF8.self)
  }

  /// Calls the route of `path` as the server would, and gives its status and the answer.
  func ask(_ path: String, route name: String? = nil) throws -> (
    status: gw_status, answer: FakeServer.Answer?, request: UInt64
  ) {
    let route = try #require(registry.routes.first { $0.pattern.text == name ?? path })
    let request = server.open(owner: route.instance.context)
    route.inFlight.wrappingAdd(1, ordering: .sequentiallyConsistent)
    defer { route.inFlight.wrappingSubtract(1, ordering: .sequentiallyConsistent) }
    var state: UnsafeMutableRawPointer?
    let status = withLent(path) { path in
      var head = gw_request_v1()
      head.handle = gw_request(v: request)
      head.path = path
      return route.handler.request(route.user, &head, &state)
    }
    route.handler.end?(route.user, state, gw_request(v: request))
    return (status, server.answer(to: request), request)
  }

  /// One service of the health summary.
  func service(_ name: String) -> JSON? { health.summary(now: MonotonicClock.now).services[name] }

  /// Lines of the metrics text, without the gateway's own metrics.
  var metricLines: [String] {
    var bytes: [UInt8] = []
    metrics.write(to: &bytes)
    return String(decoding: bytes, as: UTF8.self).split(separator: "\n").map(String.init)
      .filter { !$0.contains("gateway_plugin_") }
  }
}

/// Looks every millisecond until `isSo`, at most `limit`.
func eventually(_ limit: Duration = .seconds(10), _ isSo: () -> Bool) -> Bool {
  let deadline = MonotonicClock.now + limit.nanoseconds
  while MonotonicClock.now < deadline {
    if isSo() { return true }
    let _: Bool? = Monitor(()).wait(until: MonotonicClock.now + 1_000_000) { _ in nil }
  }
  return isSo()
}
