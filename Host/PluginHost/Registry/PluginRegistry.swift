import CLinux
import Glibc
import Synchronization
package import Wire

/// The owner of all plugins: knows what runs, and what each file of the plugins directory became.
package final class PluginRegistry: Sendable {
  struct Entry: Sendable {
    /// Of the file.
    let path: String
    var report: PluginReport
    /// The file as it was read for what runs.
    var file: PluginFile?
    var instance: PluginInstance?
    /// The generation that `instance` replaced, until it is over.
    var predecessor: Predecessor?
    /// Digest of a build that was gone back from: only who asks for it gets it again.
    var rejected: String?
    /// Digest of a build that was left out for its crashes: only another build, or who asks, has it loaded.
    var leftOut: String?
    /// Under which name the health shows that it could not be loaded.
    var shownAs: String?
    var last: ChangeReport?

    init(path: String, report: PluginReport) {
      self.path = path
      self.report = report
    }
  }

  /// Whose turn it is: changes are made one after the other.
  struct Turn: Sendable {
    var isTaken = false
    /// No further change is made: the gateway stops.
    var isOver = false
  }

  let settings: Settings
  let log: Log
  let probe: PluginProbe?
  let loader: PluginLoader
  let host: HostResources
  let entries = Mutex<[Entry]>([])
  let routeHost: (any RouteHost)?
  let turn = Monitor(Turn())
  private let publishing = Mutex(())
  private let admin = Mutex<PluginInstance?>(nil)
  private let changes: MetricFamily?

  /// Makes the directories under the data directory and the plugins' threads; loads nothing yet.
  ///
  /// - Parameters:
  ///   - settings: Where plugins are, and the limits.
  ///   - log: Also takes the plugins' lines.
  ///   - sink: Takes the plugins' answers.
  ///   - outlet: Takes the plugins' events.
  ///   - pool: Runs what the contract calls a worker; shut down after this registry.
  ///   - metrics: Takes the plugins' metrics.
  ///   - health: Takes the plugins' health.
  ///   - reserved: The host's own methods and paths; the method `*` stands for all.
  ///   - probe: Tries each plugin in a child process first; `nil` goes without.
  ///   - quarantine: The plugins that are not loaded without being asked for.
  ///   - routeHost: Serves the routes; `nil` where there is no server.
  /// - Throws: `SystemError` when a directory or thread cannot be made.
  package init(
    settings: Settings,
    log: Log,
    sink: any AnswerSink,
    outlet: any EventOutlet,
    pool: WorkerPool,
    metrics: MetricsRegistry,
    health: HealthBoard,
    reserved: [(method: String, pattern: PathPattern)] = [],
    probe: PluginProbe? = nil,
    quarantine: Quarantine = Quarantine(),
    routeHost: (any RouteHost)? = nil
  ) throws(SystemError) {
    self.routeHost = routeHost
    self.settings = settings
    self.log = log
    self.probe = probe
    host = try HostResources(
      sink: sink,
      outlet: outlet,
      pool: pool,
      claims: DeclarationClaims(reserved: reserved),
      metrics: metrics,
      health: health,
      log: log,
      limits: settings.limits,
      cores: Int(sysconf(CInt(_SC_NPROCESSORS_ONLN))),
      quarantine: quarantine
    )
    loader = try PluginLoader(settings: settings, host: host)
    changes = try? metrics.define(
      .counter,
      "gateway_plugin_changes_total",
      help: "Loads, replacements and stops of plugins.",
      labels: ["plugin", "change", "outcome"],
      owner: "gateway"
    )
  }

  /// The routes of all active plugins, in the order of their files.
  package var routes: [PluginRoute] {
    let admin = admin.withLock { $0?.routes ?? [] }
    return admin + entries.withLock { $0 }.flatMap { $0.instance?.routes ?? [] }
  }

  /// The topics of all active plugins, in order of name.
  package var topics: [TopicDeclaration] { host.exchange.topics }

  /// What became of each file, in their order.
  package var reports: [PluginReport] { entries.withLock { $0.map(\.report) } }

  /// Generations whose code stays mapped although they are over.
  package var retired: [RetiredGenerations.Generation] { host.retired.list }

  /// Loads every file of the plugins directory, in order of name; one that fails does not stop the others.
  @discardableResult
  package func loadAll() -> [PluginReport] {
    let directory = settings.pluginsDirectory
    let files: [String]
    do {
      files = try PluginFile.paths(in: directory)
    } catch {
      log.write(.warning, "no plugins directory", [("path", directory), ("error", "\(error)")])
      files = []
    }
    let verdicts = probeAll(files)
    for (path, verdict) in zip(files, verdicts) {
      let start = MonotonicClock.now
      var entry = load(path, verdict: verdict)
      entry.report.loadTime = .nanoseconds(MonotonicClock.now - start)
      record(entry)
    }
    publish()
    return reports
  }

  /// Serves the host's own routes of `code`, which is neither listed nor replaced.
  ///
  /// - Throws: `PluginFileError` when it does not start.
  package func adopt(_ code: PluginAdministration) throws(PluginFileError) {
    let file = try PluginFile(Array("{\"library\": \"-\"}".utf8), path: code.id)
    let instance = try loader.create(code, file)
    do { try instance.activate() } catch {
      loader.rollBack(instance, after: error)
      throw loader.fault(file, error.description)
    }
    admin.withLock { $0 = instance }
  }

  /// Serves what the entries say now.
  func publish() {
    // One after the other, so that the routes computed last are the ones that stay.
    publishing.withLock { _ in routeHost?.publish(routes, topics: topics) }
  }

  /// Has every change that is asked for from now on be refused; one under way is made.
  package func endChanges() {
    turn.withLock { $0.isOver = true }
    turn.wakeAll()
  }

  /// Ends all plugins, the last loaded first; no change is made any more.
  ///
  /// Requests must have ended before, or they are waited for. What still runs at the limit is named in the log, and
  /// its plugin is left as it is.
  ///
  /// - Parameter limit: For all plugins together.
  package func shutDown(limit: Duration) {
    let deadline = MonotonicClock.now + limit.nanoseconds
    endChanges()
    let _: Bool? = turn.wait { $0.isTaken ? nil : true }
    for index in entries.withLock({ $0.indices }).reversed() {
      let entry = entries.withLock { $0[index] }
      if let waits = entry.predecessor?.conclude(endsJobs: true, by: deadline) {
        log.write(
          .warning,
          "a replaced generation did not end in time",
          [("plugin", entry.report.name), ("waiting", waits)]
        )
      }
      guard let instance = entries.withLock({ $0[index].instance }) else { continue }
      instance.conceal()
      let (state, reason) = loader.end(instance, by: deadline)
      entries.withLock { entries in
        entries[index].instance = nil
        entries[index].report.state = state
        entries[index].report.reason = reason
      }
      let level = state == .retired ? LogLevel.info : .debug
      log.write(
        level,
        "plugin ended",
        [("plugin", instance.id), ("state", state.rawValue), ("reason", reason)]
      )
    }
    if let admin = admin.withLock({ $0.take() }) {
      _ = admin.endWithoutAsking(by: deadline)
      _ = admin.destroy()
    }
    host.shutDown()
  }

  /// Tries one file without recording it: entry, create, self-test, destroy.
  ///
  /// - Parameters:
  ///   - path: Of the file.
  ///   - library: The library to try in place of the one that the file names.
  /// - Returns: What the plugin said of itself.
  /// - Throws: `PluginFileError` with the first fault.
  package func check(
    _ path: String,
    library: String? = nil
  ) throws(PluginFileError) -> PluginReport {
    try loader.check(try PluginFile(path: path), library: library)
  }

  /// All plugins as JSON, for operators.
  package func describe() -> JSON { .array(entries.withLock { $0 }.map(\.json)) }

  // MARK: - Loading at the start

  private func probeAll(_ files: [String]) -> [PluginProbe.Verdict?] {
    guard let probe else { return files.map { _ in nil } }
    let verdicts = Mutex([PluginProbe.Verdict?](repeating: nil, count: files.count))
    host.compute.run(count: files.count, width: 0) { index in
      // A file that is wrong or off needs no process to find that out.
      guard let file = try? PluginFile(path: files[index]), file.isEnabled else { return }
      let verdict = probe.run(file: files[index], libraries: self.loader.libraryDirectory)
      verdicts.withLock { $0[index] = verdict }
    }
    return verdicts.withLock { $0 }
  }

  private func load(_ path: String, verdict: PluginProbe.Verdict?) -> Entry {
    do throws(PluginFileError) {
      let file = try PluginFile(path: path)
      guard file.isEnabled else { return Entry(path: path, report: Self.report(path, .disabled)) }
      if case .failed(let error)? = verdict { throw error }
      var swap = PluginSwap(
        loader: loader,
        host: host,
        probe: nil,
        routeHost: nil,
        old: nil,
        dropsState: false
      )
      let instance = try swap.perform(file, try loader.copy(file), taken: taken(except: path))
      instance.begin()
      var entry = Entry(path: path, report: PluginReport(instance, file: file))
      entry.file = file
      entry.instance = instance
      return entry
    } catch {
      log.write(.error, "plugin not loaded: \(error)")
      var entry = Entry(path: path, report: Self.report(path, .failed, reason: error.description))
      if host.quarantine.hasRefused(entry.report.name) { entry.leftOut = digest(of: path) }
      return entry
    }
  }

  /// Of the library that a file names now; `nil` when there is none.
  private func digest(of path: String) -> String? {
    guard let file = try? PluginFile(path: path), let source = loader.source(of: file) else {
      return nil
    }
    return try? GenerationStage.digest(of: source)
  }

  private func record(_ entry: Entry) {
    if let instance = entry.instance { logActive(instance, after: entry.report.loadTime) }
    count("load", entry.report.name, entry.report.state == .failed ? .failed : .done)
    entries.withLock { $0.append(entry) }
    if entry.report.state == .failed { showFailure(of: entry) }
  }

  /// Shows in the health that a plugin could not be loaded.
  func showFailure(of entry: Entry) {
    // Two files may be named alike; the one that runs is not to be shown as failed.
    let report = entry.report
    let name = isShown(report.name, apartFrom: entry.path) ? report.file : report.name
    if entry.shownAs != name { hideFailure(of: entry.path) }
    update(entry.path) { $0.shownAs = name }
    host.health.fail(name, reason: "the plugin could not be loaded; see the log or gateway check")
  }

  /// Takes that back.
  func hideFailure(of path: String) {
    let shownAs = entries.withLock { $0.first { $0.path == path }?.shownAs }
    guard let shownAs else { return }
    update(path) { $0.shownAs = nil }
    if !isShown(shownAs, apartFrom: path) { host.health.remove(shownAs) }
  }

  /// Whether the health shows another file's plugin under `name`.
  func isShown(_ name: String, apartFrom path: String) -> Bool {
    entries.withLock { entries in
      entries.contains { $0.path != path && ($0.instance?.id == name || $0.shownAs == name) }
    }
  }

  func logActive(_ instance: PluginInstance, after time: Duration) {
    instance.log(
      .info,
      "plugin active",
      [
        ("version", instance.version), ("routes", "\(instance.routes.count)"),
        ("milliseconds", "\(Int(time / .milliseconds(1)))"),
      ]
    )
  }

  /// Ids of the plugins that run, with their files, but for the one of `path`.
  func taken(except path: String) -> [String: String] {
    var taken: [String: String] = [:]
    for entry in entries.withLock({ $0 }) where entry.path != path {
      if let instance = entry.instance { taken[instance.id] = entry.report.file }
    }
    if let admin = admin.withLock({ $0 }) { taken[admin.id] = "the gateway itself" }
    return taken
  }

  func count(_ change: String, _ plugin: String, _ outcome: ChangeReport.Outcome) {
    changes?.record(1, [plugin, change, outcome.rawValue])
  }

  static func report(
    _ path: String,
    _ state: PluginReport.State,
    reason: String = ""
  ) -> PluginReport {
    let file = String(path.split(separator: "/").last ?? "")
    return PluginReport(
      file: file,
      name: PluginFile.label(ofFile: file),
      state: state,
      reason: reason
    )
  }
}

extension PluginRegistry.Entry {
  /// The entry for operators.
  var json: JSON {
    var report = report
    report.isolation = instance?.library.isolation
    var members = report.members
    if let instance {
      members.append(
        .init(name: "requests_under_way", value: .integer(Int64(instance.requestsUnderWay)))
      )
    }
    if let predecessor {
      let other = predecessor.old === instance ? predecessor.new : predecessor.old
      members.append(
        .init(
          name: "replaced",
          value: [
            "generation": .integer(Int64(other.generation)),
            "state": .string(predecessor.summary),
            "requests_under_way": .integer(Int64(other.requestsUnderWay)),
          ]
        )
      )
    }
    if let last { members.append(.init(name: "last_change", value: last.json)) }
    return .object(members)
  }
}
