import CLinux
import Glibc
import Wire

/// The process that holds the listening sockets and starts the serving process anew when it dies.
///
/// It has one thread, loads no plugin and answers no request: there is little in it that could fail.
package final class Supervisor {
  /// Why it could not start; the message is for the operator.
  package struct StartError: Error { package let description: String }

  let settings: Settings
  let environment: [String: String]
  let log: Log
  /// The program as it was started: what stands there is what an upgrade starts.
  let path: String
  /// Where libraries are when the operator names no directory: beside the program as it was at the start.
  let libraryDirectory: String
  let socket: UpgradeSocket
  private let signals: Descriptor
  var listeners: [CInt]
  var journal: CrashJournal
  /// Why plugins are left out, by their ids.
  var leftOut: [String: String]
  /// Crashes from before are none of this run's; nanoseconds since 1970.
  var since: Int64
  var current: ServingProcess?
  /// A process that is to take over.
  var next: ServingProcess?
  /// When it must serve, on the monotonic clock, and who waits for it.
  var upgrade = Upgrade()
  /// Processes that have been replaced, or given up.
  var retiring: [ServingProcess] = []
  private var hasServed = false
  private var isStopping = false
  private var status: Int32 = 0
  /// When the next process is started, on the monotonic clock.
  private var restart: Int64?
  /// Processes in a row that died young and by no plugin's fault.
  private var youngDeaths = 0
  /// A process that lived shorter has died young.
  private static let youth: Int64 = 5_000_000_000
  private static let firstPause: Int64 = 100_000_000
  private static let longestPause: Int64 = 10_000_000_000

  /// Opens what it holds, or takes over what the program before it in this process held.
  ///
  /// - Parameters:
  ///   - settings: What the operator decided.
  ///   - environment: The variables of the process.
  /// - Throws: `StartError`; nothing stays open.
  package init(_ settings: Settings, environment: [String: String]) throws(StartError) {
    self.settings = settings
    let state = environment[SupervisorState.variable].flatMap { SupervisorState($0) }
    let given = environment
    var environment = environment
    for name in [SupervisorState.variable, "LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] {
      environment[name] = nil
    }
    do {
      signals = Descriptor(adopting: try retrying("signalfd") { linux_supervisor_signals() })
      let writer = try LogWriter(direct: STDERR_FILENO)
      log = Log(writer: writer, level: settings.logLevel, format: settings.logFormat)
      do { try Directory.make(settings.dataDirectory) } catch {
        throw StartError(
          description: "cannot make \(settings.dataDirectory) (DATA_DIR): \(error)"
        )
      }
      socket =
        if let state {
          UpgradeSocket(directory: settings.dataDirectory, adopting: state.socket)
        } else {
          try UpgradeSocket(directory: settings.dataDirectory)
        }
    } catch let error as StartError {
      throw error
    } catch {
      throw StartError(description: "\(error)")
    }
    path = Self.programPath()
    libraryDirectory = PluginLoader.besideTheBinary()
    journal = CrashJournal(directory: settings.dataDirectory)
    do throws(SystemError) {
      if let state {
        listeners = state.listeners
      } else {
        listeners = try Self.open(settings, given)
      }
    } catch {
      socket.remove()
      throw StartError(
        description: ListeningSockets.refusal(settings.host, settings.port, error)
      )
    }
    self.environment = environment
    leftOut = state?.leftOut ?? [:]
    since = state?.since ?? linux_realtime()
    current = state?.current
    retiring = state?.retiring ?? []
    hasServed = state != nil
    for descriptor in listeners + Self.descriptors(current, retiring) { linux_adopt(descriptor) }
  }

  private static func open(
    _ settings: Settings,
    _ environment: [String: String]
  ) throws(SystemError) -> [CInt] {
    if let passed = try ListeningSockets.passed(environment) { return passed }
    // The serving process of a supervisor that was killed may take a moment to follow it.
    let deadline = MonotonicClock.now + 500_000_000
    while true {
      do throws(SystemError) {
        return try ListeningSockets.open(
          host: settings.host,
          port: settings.port,
          count: settings.workers
        )
      } catch {
        guard error.code == EADDRINUSE, MonotonicClock.now < deadline else { throw error }
      }
      let pause = MonotonicClock.now + 10_000_000
      let _: Bool? = Monitor(()).wait(until: pause) { _ in nil }
    }
  }

  /// Serves, in child processes, until a signal has stopped it.
  ///
  /// - Returns: The exit status: 0 stopped in order, otherwise that of the process that could not start or drain.
  package func run() -> Int32 {
    if current == nil { start() }
    while true {
      reap()
      if let restart, restart <= MonotonicClock.now { start() }
      checkUpgrade()
      if isStopping, current == nil, next == nil, retiring.isEmpty {
        socket.remove()
        return status
      }
      wait()
    }
  }

  // MARK: - Waiting

  private func wait() {
    let processes = [current, next].compactMap { $0 } + retiring
    let channels = processes.filter { !$0.hasHungUp }.map(\.channel)
    var watched = ([signals.raw, socket.descriptor] + channels).map {
      pollfd(fd: $0, events: Int16(POLLIN), revents: 0)
    }
    let due = [restart, upgrade.deadline].compactMap { $0 }.min()
    let left = due.map { max(($0 - MonotonicClock.now + 999_999) / 1_000_000, 0) }
    let count = unsafe poll(&watched, nfds_t(watched.count), left.map { CInt(clamping: $0) } ?? -1)
    guard count > 0 else { return }
    // First what the processes say: one that has ended may have said why.
    for entry in watched.dropFirst(2) where entry.revents != 0 { hear(entry.fd) }
    if watched[0].revents != 0 { takeSignals() }
    if watched[1].revents != 0, let (client, request) = socket.accept() {
      guard request["verb"]?.asString == "upgrade" else {
        return UpgradeSocket.answer(client, ["error": "there is only the verb \"upgrade\" here"])
      }
      beginUpgrade(for: client)
    }
  }

  private func takeSignals() {
    while true {
      let signal = linux_next_signal(signals.raw)
      guard signal > 0 else { return }
      switch signal {
      case SIGCHLD: break  // `reap` looks each time
      case SIGUSR2: beginUpgrade(for: nil)
      case SIGHUP: forward(SIGHUP)
      default: stop(signal)
      }
    }
  }

  private func stop(_ signal: CInt) {
    if !isStopping {
      isStopping = true
      restart = nil
      // The serving process has its own: the port is closed once that one closes it.
      for listener in listeners { close(listener) }
      listeners = []
      giveUpNext()
      failUpgrade("the gateway is being stopped")
    }
    forward(signal)
  }

  /// Passes a signal on as a message: a terminal and a service manager tell every process of a group, and a signal of
  /// theirs that waits already would swallow another.
  private func forward(_ signal: CInt) {
    for process in [current, next].compactMap({ $0 }) + retiring {
      ServingMessage.signal(signal).send(on: process.channel)
    }
  }

  private func hear(_ channel: CInt) {
    while true {
      switch ServingMessage.receive(on: channel) {
      case .message(let message): hear(message, channel)
      case .nothing: return
      case .end: return hungUp(channel)
      }
    }
  }

  private func hear(_ message: ServingMessage, _ channel: CInt) {
    if current?.channel == channel {
      take(message, &current)
      if case .serving = message { isServingAgain() }
    } else if next?.channel == channel {
      take(message, &next)
      if case .serving = message { finishUpgrade() }
    } else if let index = retiring.firstIndex(where: { $0.channel == channel }) {
      if case .stopped = message { retiring[index].hasStopped = true }
    }
  }

  private func hungUp(_ channel: CInt) {
    if current?.channel == channel { current?.hasHungUp = true }
    if next?.channel == channel { next?.hasHungUp = true }
    for index in retiring.indices where retiring[index].channel == channel {
      retiring[index].hasHungUp = true
    }
  }

  private func take(_ message: ServingMessage, _ process: inout ServingProcess?) {
    switch message {
    case .serving(let failed):
      process?.isServing = true
      process?.failedPlugins = failed
    case .failed(let reason): process?.failure = reason
    case .stopped: process?.hasStopped = true
    case .forgive(let plugin):
      leftOut[plugin] = nil
      since = linux_realtime()
    case .retire, .signal: break
    }
  }

  // MARK: - Lives

  private func start() {
    restart = nil
    do throws(SystemError) {
      // This program, also when another has been put in its place.
      current = try launch("/proc/self/exe", takesOver: false)
    } catch {
      log.write(.error, "the serving process cannot be started", [("error", "\(error)")])
      youngDeaths += 1
      restart = MonotonicClock.now + pause
    }
  }

  /// Starts a serving process of the program at `path`.
  func launch(_ path: String, takesOver: Bool) throws(SystemError) -> ServingProcess {
    var variables = environment
    if variables["LIBRARY_DIR", default: ""].isEmpty {
      variables["LIBRARY_DIR"] = takesOver ? Self.directory(of: path) : libraryDirectory
    }
    return try .start(
      path,
      environment: variables,
      listeners: listeners,
      takesOver: takesOver,
      leftOut: leftOut
    )
  }

  private func reap() {
    while true {
      let ended = linux_next_end()
      guard ended.child != 0 else { return }
      for process in [current, next].compactMap({ $0 }) + retiring
      where process.number == ended.child { hear(process.channel) }
      if let process = current, process.number == ended.child {
        current = nil
        self.ended(process, ended.how)
        process.close()
      } else if let process = next, process.number == ended.child {
        next = nil
        failUpgrade(Self.reason(process, ended.how))
        process.close()
        if current == nil, !isStopping { start() }
      } else if let index = retiring.firstIndex(where: { $0.number == ended.child }) {
        let process = retiring.remove(at: index)
        // One that was given up is killed; any other end is to be known.
        if !process.hasStopped, ended.how != -SIGKILL {
          note(process, ended.how, process.culprit(ended.how))
        }
        process.close()
      }
    }
  }

  private func ended(_ process: ServingProcess, _ end: CInt) {
    if process.hasStopped, end == 0 {
      isStopping = true
      return
    }
    let code = process.culprit(end)
    let isUnable = code == nil && (end >= 0 && !process.isServing || end < 0 && !hasServed)
    if isStopping || isUnable {
      status = end >= 0 ? end : 128 - end
      if end < 0 { note(process, end, code) }
      if !isStopping { stop(SIGTERM) }
      return
    }
    note(process, end, code)
    let isYoung = code == nil && MonotonicClock.now - process.began < Self.youth
    youngDeaths = isYoung ? youngDeaths + 1 : 0
    // With an upgrade under way, its process is the next to serve.
    if next == nil { restart = MonotonicClock.now + pause }
  }

  /// Nothing after the first death in a row, so that one crash costs as little as it can.
  private var pause: Int64 {
    youngDeaths < 2 ? 0 : min(Self.firstPause << min(youngDeaths - 2, 10), Self.longestPause)
  }

  private func note(_ process: ServingProcess, _ end: CInt, _ code: CrashReport.Code?) {
    let report = CrashReport(
      time: linux_realtime(),
      process: process.number,
      end: ChildProcess.endWords(end),
      code: code
    )
    log.write(.error, "the serving process has crashed", report.fields)
    keep { journal throws(SystemError) in try journal.add(report) }
    guard let plugin = code?.plugin else { return }
    let window = settings.limits.crashWindow
    let start = max(since, report.time - window.nanoseconds)
    let count = journal.count(of: plugin, since: start)
    guard count >= settings.limits.crashes, leftOut[plugin] == nil else { return }
    let place = code.map { $0.label.isEmpty ? $0.step : "\($0.step) of \($0.label)" } ?? ""
    let fate = settings.crashPolicy == .isolate ? "isolated" : "left out"
    leftOut[plugin] =
      "it is \(fate), having crashed the gateway \(count) times within "
      + "\(SettingsValue.secondsText(window)) s, last in \(place) (\(report.end)); "
      + "replace it, then: gateway plugin reload \(plugin)"
    log.write(.error, "a plugin is to be \(fate)", [("plugin", plugin), ("crashes", "\(count)")])
  }

  private func isServingAgain() {
    hasServed = true
    var report: CrashReport?
    keep { journal throws(SystemError) in
      report = try journal.recovered(now: linux_realtime())
    }
    if let report { log.write(.warning, "serving again after a crash", report.fields) }
  }

  private func keep(_ change: (inout CrashJournal) throws(SystemError) -> Void) {
    do throws(SystemError) { try change(&journal) } catch {
      log.write(.error, "cannot write crashes.jsonl (DATA_DIR)", [("error", "\(error)")])
    }
  }
}
