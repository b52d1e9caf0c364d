import Glibc
import Synchronization
package import Wire

/// The owner of all plugins: loads them, knows what they declared, and ends them.
package final class PluginRegistry: Sendable {
  private struct Entry: Sendable {
    let file: String
    var report: PluginReport
    var instance: PluginInstance?
  }

  private let settings: Settings
  private let log: Log
  private let probe: PluginProbe?
  private let loader: PluginLoader
  private let host: HostResources
  private let entries = Mutex<[Entry]>([])
  private let routeHost: Mutex<(any RouteHost)?>

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
  ///   - routeHost: Serves the routes; `nil` while there is no server, or until `attach`.
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
    routeHost: (any RouteHost)? = nil
  ) throws(SystemError) {
    self.routeHost = Mutex(routeHost)
    self.settings = settings
    self.log = log
    self.probe = probe
    host = try HostResources(
      sink: sink,
      outlet: outlet,
      pool: pool,
      claims: RouteClaims(reserved: reserved),
      metrics: metrics,
      health: health,
      log: log,
      limits: settings.limits,
      cores: Int(sysconf(CInt(_SC_NPROCESSORS_ONLN)))
    )
    loader = try PluginLoader(settings: settings, host: host)
  }

  /// Gives the registry whoever serves the routes; before `loadAll`.
  package func attach(_ routeHost: any RouteHost) {
    self.routeHost.withLock { $0 = routeHost }
  }

  /// The routes of all active plugins, in the order of their files.
  package var routes: [PluginRoute] {
    entries.withLock { $0 }.flatMap { $0.instance?.routes ?? [] }
  }

  /// The topics of all active plugins, in order of name.
  package var topics: [TopicDeclaration] { host.exchange.topics }

  /// What became of each file, in their order.
  package var reports: [PluginReport] { entries.withLock { $0.map(\.report) } }

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

  /// Swaps a plugin to its library as it is on disk now, also when that is what runs.
  ///
  /// Blocks; not to be called from a loop's or the pool's thread.
  ///
  /// - Parameters:
  ///   - name: The plugin's id, or the name of its file without number and extension.
  ///   - force: Ends jobs that an earlier generation still runs.
  /// - Returns: What was done.
  package func reload(_ name: String, force: Bool = false) -> ChangeReport {
    change("reload", name) { _ in true }
  }

  /// Switches a plugin on, in its file too.
  package func enable(_ name: String) -> ChangeReport { change("enable", name) { _ in true } }

  /// Switches a plugin off, in its file too.
  package func disable(_ name: String) -> ChangeReport { change("disable", name) { _ in false } }

  /// Makes the running plugins what the plugins directory and the libraries say.
  ///
  /// - Returns: One report for each plugin that was, or should have been, changed.
  package func rescan() -> [ChangeReport] {
    entries.withLock { $0.map(\.report.name) }.map { name in
      change("load", name) { ((try? PluginFile(path: $0))?.isEnabled) ?? false }
    }
  }

  private func publish() {
    let host = routeHost.withLock { $0 }
    host?.publish(routes, topics: topics)
  }

  private func change(
    _ change: String,
    _ name: String,
    wanted: (String) -> Bool
  ) -> ChangeReport {
    var report = ChangeReport(change: change, plugin: name, outcome: .failed, message: "")
    let found = entries.withLock { entries in
      entries.firstIndex {
        $0.report.name == name || PluginFile.label(ofFile: $0.report.file) == name
      }
      .map { ($0, entries[$0]) }
    }
    guard let (index, entry) = found else {
      report.message = "there is no plugin \"\(name)\"; gateway plugin list shows what there is"
      return report
    }
    report.generationBefore = entry.instance?.generation
    let start = MonotonicClock.now
    if let instance = entry.instance {
      entries.withLock { $0[index].instance = nil }
      publish()
      let (state, reason) = loader.end(instance, by: start + settings.limits.drainTime.nanoseconds)
      report.steps.append(
        .init(name: "drain", duration: .nanoseconds(MonotonicClock.now - start), detail: reason)
      )
      entries.withLock { $0[index].report.state = state }
    }
    guard wanted(entry.file) else {
      report.outcome = .done
      return report
    }
    let loaded = load(entry.file, verdict: nil)
    entries.withLock { $0[index] = loaded }
    publish()
    report.outcome = loaded.instance == nil ? .failed : .done
    report.message = loaded.report.reason
    report.generationAfter = loaded.instance?.generation
    return report
  }

  /// Ends all plugins, the last loaded first.
  ///
  /// Requests must have ended before, or they are waited for. What still runs at the limit is named in the log, and
  /// its plugin is left as it is.
  ///
  /// - Parameter limit: For all plugins together.
  package func shutDown(limit: Duration) {
    let deadline = MonotonicClock.now + limit.nanoseconds
    for index in entries.withLock({ $0.indices }).reversed() {
      guard let instance = entries.withLock({ $0[index].instance }) else { continue }
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
    host.shutDown()
  }

  /// Tries one file without recording it: entry, create, destroy.
  ///
  /// - Parameter path: Of the file.
  /// - Returns: What the plugin said of itself.
  /// - Throws: `PluginFileError` with the first fault.
  package func check(_ path: String) throws(PluginFileError) -> PluginReport {
    try loader.check(try PluginFile(path: path))
  }

  /// Answers one request of the control socket.
  ///
  /// - Parameter request: An object whose `verb` says what is wanted: `plugins`.
  /// - Returns: An object with the answer, or with `error`.
  package func answer(_ request: JSON) -> JSON {
    switch request["verb"]?.asString {
    case "plugins": ["plugins": describe()]
    default: ["error": "this gateway knows the verb \"plugins\" only"]
    }
  }

  /// All plugins as JSON, for operators.
  package func describe() -> JSON {
    let entries = entries.withLock { $0 }
    return .array(
      entries.map { entry in
        var members = entry.report.members
        if let instance = entry.instance {
          members.append(
            .init(name: "requests_under_way", value: .integer(Int64(instance.requestsUnderWay)))
          )
        }
        return .object(members)
      }
    )
  }

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
    let name = PluginFile.label(ofFile: String(path.split(separator: "/").last ?? ""))
    do throws(PluginFileError) {
      let file = try PluginFile(path: path)
      guard file.isEnabled else {
        let report = PluginReport(file: file.name, name: name, state: .disabled)
        return Entry(file: path, report: report, instance: nil)
      }
      if case .failed(let error)? = verdict { throw error }
      let taken = entries.withLock { entries in
        Dictionary(
          entries.compactMap { entry in entry.instance.map { ($0.id, entry.report.file) } },
          uniquingKeysWith: { first, _ in first }
        )
      }
      let instance = try loader.load(file, taken: taken)
      return Entry(file: path, report: Self.report(on: instance, file: file), instance: instance)
    } catch {
      log.write(.error, "plugin not loaded: \(error)")
      let file = String(path.split(separator: "/").last ?? "")
      let report = PluginReport(file: file, name: name, state: .failed, reason: error.description)
      return Entry(file: path, report: report, instance: nil)
    }
  }

  private func record(_ entry: Entry) {
    if entry.report.state == .failed {
      // Two files may be named alike; the one that runs is not to be shown as failed.
      let isRunning = entries.withLock { $0.contains { $0.instance?.id == entry.report.name } }
      let name = isRunning ? entry.report.file : entry.report.name
      host.health.fail(name, reason: "the plugin could not be loaded; see the log or gateway check")
    }
    if let instance = entry.instance {
      let milliseconds = entry.report.loadTime / .milliseconds(1)
      instance.log(
        .info,
        "plugin active",
        [
          ("version", instance.version), ("routes", "\(instance.routes.count)"),
          ("milliseconds", "\(Int(milliseconds))"),
        ]
      )
    }
    entries.withLock { $0.append(entry) }
  }

  static func report(on instance: PluginInstance, file: PluginFile) -> PluginReport {
    var report = PluginReport(file: file.name, name: instance.id, state: .active)
    report.version = instance.version
    report.description = instance.library.summary
    report.generation = instance.generation
    report.routes = instance.routes.map(\.name)
    return report
  }
}
