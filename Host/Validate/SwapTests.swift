import Glibc
import Synchronization
import Wire

/// The plugin replaced by itself while a gateway serves.
enum SwapTests {
  static let all = [
    ValidatorTest(
      "swap.load",
      "requests that fail while a gateway replaces the library by itself, \(swaps) times",
      needs: ["load.create"],
      limit: .seconds(120),
      load
    )
  ]

  private static let swaps = 10
  /// Connections that ask without a pause.
  private static let clients = 2
  /// A request that takes longer while nothing is replaced is not asked under load.
  private static let quick = Duration.seconds(2)
  /// How long a request may take during a swap.
  private static let patience = Duration.seconds(10)
  private static let key = "validator-key-of-one-run-0123456789"

  /// One request that the plugin answers well when nothing is replaced.
  private struct Probe: Sendable {
    let method: String
    let path: String
    let body: String?
    var name: String { "\(method) \(path)" }
  }

  private struct Tally: Sendable {
    var requests = 0
    var failures: [String] = []
    var slowest: Int64 = 0
  }

  private static let load: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let library = try subject.library()
    subject.journal.step("starting a gateway with the plugin")
    let settings = try settings(subject, library.id)
    let gateway: Gateway
    do throws(Gateway.StartError) {
      gateway = try Gateway(settings)
    } catch {
      throw .failed("The gateway did not start: \(error).")
    }
    guard let report = gateway.registry.reports.first(where: { $0.name == library.id }),
      report.state == .active
    else {
      let reason = gateway.registry.reports.first { $0.name != "gateway" }?.reason ?? ""
      throw .failed("A gateway does not load it: \(reason)")
    }
    let outcome = Monitor<Result<String, ValidatorTest.Stop>?>(nil)
    let journal = subject.journal
    do throws(Gateway.StartError) {
      try gateway.run { gateway in
        let (port, registry, routes) = (gateway.port, gateway.registry, report.routes)
        let driver = try? HostThread(name: "driver") {
          let result: Result<String, ValidatorTest.Stop>
          do throws(ValidatorTest.Stop) {
            result = .success(try drive(port, registry, library.id, routes, journal))
          } catch { result = .failure(error) }
          outcome.withLock { $0 = result }
          journal.step("stopping the gateway")
          kill(getpid(), SIGTERM)
        }
        driver?.detach()
      }
    } catch {
      throw .failed("The gateway did not serve: \(error).")
    }
    switch outcome.withLock({ $0 }) {
    case .success(let note): return note
    case .failure(let stop): throw stop
    case nil: throw .failed("The gateway stopped by itself.")
    }
  }

  private static func settings(
    _ subject: LibrarySubject,
    _ id: String
  ) throws(ValidatorTest.Stop) -> Settings {
    let place = try subject.newDirectory()
    var settings = Settings()
    settings.host = "127.0.0.1"
    settings.port = 0
    settings.jwtSecret = Array(key.utf8)
    settings.accessLog = false
    settings.logLevel = .error
    settings.dataDirectory = "\(place)/data"
    settings.pluginsDirectory = "\(place)/plugins.d"
    settings.tiers = [Tier(name: Tier.fallback, perMinute: 0, perHour: 0)]
    settings.limits.connectionsPerAddress = 0
    settings.limits.drainNotice = .zero
    settings.limits.drainTime = .seconds(5)
    settings.limits.probation = .zero
    settings.limits.retiredGenerations = 4 * swaps
    let identity = Identity(
      subject: "validator",
      scopes: ["read", "write", "admin"],
      tier: Tier.fallback
    )
    settings.apiKeys = [Settings.APIKey(key: Array(key.utf8), identity: identity)]
    let file: JSON = [
      "library": .string(subject.path),
      "settings": (try? JSON.parse(subject.settings)) ?? .object([]),
    ]
    do throws(SystemError) {
      try Directory.make(settings.pluginsDirectory)
      try FileBytes.write(file.bytes, to: "\(settings.pluginsDirectory)/10-\(id).json")
    } catch {
      throw .failed("The gateway's files could not be made: \(error).")
    }
    return settings
  }

  private static func drive(
    _ port: UInt16,
    _ registry: PluginRegistry,
    _ id: String,
    _ routes: [String],
    _ journal: Journal
  ) throws(ValidatorTest.Stop) -> String {
    journal.step("asking each route once")
    let probes = good(routes, port)
    guard !probes.isEmpty else {
      throw .skipped("no route answers a plain request at once and without a fault of its own")
    }
    let tally = Monitor(Tally())
    let left = Monitor(clients)
    let isOver = Atomic<Bool>(false)
    for number in 0..<clients {
      let thread = try? HostThread(name: "client \(number)") {
        while !isOver.load(ordering: .relaxed) { ask(probes, port, tally, isOver) }
        left.withLock { $0 -= 1 }
        left.wakeAll()
      }
      if let thread { thread.detach() } else { left.withLock { $0 -= 1 } }
    }
    var faults: [String] = []
    for swap in 1...swaps where faults.isEmpty {
      journal.step("replacing the library, swap \(swap)")
      let report = registry.reload(id)
      if report.outcome == .failed {
        faults.append("Swap \(swap) of the library by itself failed: \(report.message)")
      }
    }
    isOver.store(true, ordering: .relaxed)
    let deadline = MonotonicClock.now + 20_000_000_000
    let _: Bool? = left.wait(until: deadline) { $0 <= 0 ? true : nil }
    let end = tally.withLock { $0 }
    for failure in end.failures where !faults.contains(failure) { faults.append(failure) }
    try ValidatorTest.Stop.unless(faults)
    let pause = end.slowest / 1_000_000
    return "\(swaps) swaps, \(end.requests) requests, none failed, the slowest took \(pause) ms"
  }

  /// The requests that are answered well while nothing is replaced.
  private static func good(_ routes: [String], _ port: UInt16) -> [Probe] {
    routes.compactMap { route in
      let parts = route.split(separator: " ", maxSplits: 1).map(String.init)
      guard parts.count == 2, let pattern = try? PathPattern(parts[1]) else { return nil }
      let path = pattern.segments.reduce(into: "") { path, segment in
        switch segment {
        case .literal(let text): path += "/\(text)"
        case .parameter: path += "/x"
        }
      }
      let probe = Probe(
        method: parts[0],
        path: path.isEmpty ? "/" : path,
        body: parts[0] == "GET" ? nil : "{}"
      )
      guard var client = try? LoopbackClient(port: port),
        let answer = try? client.ask(
          probe.method,
          probe.path,
          credential: "X-API-Key: \(key)",
          body: probe.body,
          limit: quick
        )
      else { return nil }
      return answer.status < 500 ? probe : nil
    }
  }

  /// Asks all of `probes` again and again on one connection until it fails or all is over.
  private static func ask(
    _ probes: [Probe],
    _ port: UInt16,
    _ tally: Monitor<Tally>,
    _ isOver: borrowing Atomic<Bool>
  ) {
    var place = "a connection"
    do throws(LoopbackClient.Failure) {
      var client = try LoopbackClient(port: port)
      while !isOver.load(ordering: .relaxed) {
        for probe in probes {
          place = probe.name
          let began = MonotonicClock.now
          let (status, _) = try client.ask(
            probe.method,
            probe.path,
            credential: "X-API-Key: \(key)",
            body: probe.body,
            limit: patience
          )
          let took = MonotonicClock.now - began
          tally.withLock { tally in
            tally.requests += 1
            tally.slowest = max(tally.slowest, took)
            if status >= 500 { note("\(place) answered \(status) during a swap.", in: &tally) }
          }
        }
      }
    } catch {
      tally.withLock { note("\(place) failed during a swap (\(error)).", in: &$0) }
    }
  }

  private static func note(_ failure: String, in tally: inout Tally) {
    if tally.failures.count < 100, !tally.failures.contains(failure) {
      tally.failures.append(failure)
    }
  }
}
