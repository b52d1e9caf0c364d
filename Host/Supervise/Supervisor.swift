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
  /// The process of an upgrade that is done, in whose favour this program is still to make way.
  var successor: CInt?
  /// For the metrics.
  var counts: CrashCounts
  var hasServed = false
  /// Whether a crash has left nobody to serve.
  var isDown = false
  private var isStopping = false
  private var status: Int32 = 0
  /// When the next process is started, on the monotonic clock.
  var restart: Int64?
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
    counts = state?.counts ?? CrashCounts()
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
      makeWay()
      if let restart, restart <= MonotonicClock.now {
        counts.restarts += 1
        start()
      }
      checkUpgrade()
      endHung()
      killOverdue()
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
    let times = [restart, upgrade.deadline, nextLook] + processes.map(\.deadline)
    let due = times.compactMap { $0 }.min()
    let left = due.map { max(($0 - MonotonicClock.now + 999_999) / 1_000_000, 0) }
    let count = unsafe poll(&watched, nfds_t(watched.count), left.map { CInt(clamping: $0) } ?? -1)
    guard count > 0 else { return }
    // First what the processes say: one that has ended may have said why.
    for entry in watched.dropFirst(2) where entry.revents != 0 { hear(entry.fd) }
    // The program that this one makes way for takes the rest.
    guard successor == nil else { return }
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
      let deadline = MonotonicClock.now + patience(settings.limits.drainNotice.nanoseconds)
      current?.end(by: deadline)
      for index in retiring.indices { retiring[index].end(by: deadline) }
    }
    forward(signal)
  }

  /// How long a process has to end in order: it keeps shorter limits itself, unless it hangs.
  ///
  /// - Parameter begins: Nanoseconds that it may take before it begins to drain.
  /// - Returns: Nanoseconds.
  func patience(_ begins: Int64) -> Int64 {
    // Once for requests, once for plugins.
    begins + 2 * settings.limits.drainTime.nanoseconds + 5_000_000_000
  }

  /// Kills what was to end and has not.
  private func killOverdue() {
    let now = MonotonicClock.now
    func end(_ process: inout ServingProcess) {
      guard let deadline = process.deadline, deadline <= now else { return }
      process.deadline = nil
      kill(process.number, SIGKILL)
      log.write(
        .error,
        "a process that was to end hangs and is killed",
        [("pid", "\(process.number)")]
      )
    }
    if var process = current {
      end(&process)
      current = process
    }
    for index in retiring.indices { end(&retiring[index]) }
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
      switch message {
      case .stopped: retiring[index].hasStopped = true
      case .failed(let reason): retiring[index].failure = reason
      default: break
      }
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
    case .serving(let failed, let stateVersion):
      process?.isServing = true
      process?.failedPlugins = failed
      process?.stateVersion = stateVersion
    case .failed(let reason): process?.failure = reason
    case .stopped: process?.hasStopped = true
    case .forgive(let plugin):
      leftOut[plugin] = nil
      since = linux_realtime()
    case .retire, .signal, .counted: break
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
      leftOut: leftOut,
      counts: counts
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
      } else if let index = retiring.firstIndex(where: { $0.number == ended.child }) {
        let process = retiring.remove(at: index)
        // One that was given up is killed; any other end is to be known.
        let isGivenUp = ended.how == -SIGKILL && process.hang == nil
        if !process.hasStopped, process.failure == nil, !isGivenUp {
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
    let isUnable = code == nil && !hasServed
    if isStopping || isUnable {
      status = end >= 0 ? end : 128 - end
      // Without a deadline it was killed here.
      let isOverdue = isStopping && process.deadline == nil && process.hang == nil
      if end < 0, !isOverdue { note(process, end, code) }
      if !isStopping { stop(SIGTERM) }
      return
    }
    if code == nil, let reason = process.failure {
      // What kept it from starting may pass: memory, room on a disk, a descriptor.
      log.write(.error, "the serving process cannot start", [("reason", reason)])
    } else {
      note(process, end, code)
    }
    isDown = true
    let isYoung = code == nil && MonotonicClock.now - process.began < Self.youth
    youngDeaths = isYoung ? youngDeaths + 1 : 0
    // Also with an upgrade under way: its process may never serve.
    restart = MonotonicClock.now + pause
  }

  /// Nothing after the first death in a row, so that one crash costs as little as it can.
  private var pause: Int64 {
    youngDeaths < 2 ? 0 : min(Self.firstPause << min(youngDeaths - 2, 10), Self.longestPause)
  }
}
