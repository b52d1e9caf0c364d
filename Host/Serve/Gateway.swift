import CLinux
import Glibc
import Synchronization
import Wire

/// The whole gateway: starts everything, serves, drains and stops.
package final class Gateway {
  /// Why it could not start; the message is for the operator.
  package struct StartError: Error, CustomStringConvertible {
    package let description: String
  }

  package let core: Core
  package let registry: PluginRegistry
  /// The port it listens on, once it does.
  package private(set) var port: UInt16 = 0
  private let ends: [ServerEnd]
  private let desk: AnswerDesk
  private let signals: Signals
  private let drain: Drain
  private var control: ControlSocket?
  private let link: SupervisorLink?
  private let passed: [CInt]?
  private let revocations: RevocationStore
  private let watching: Monitor<PluginWatcher?>

  /// Makes everything and loads the plugins; serves nothing yet.
  ///
  /// Call it on the main thread before any other thread is made: it blocks the stop signals, and
  /// threads inherit that.
  ///
  /// - Parameters:
  ///   - settings: What the operator decided.
  ///   - link: To the process that supervises this one; `nil` without one.
  ///   - sockets: To accept on; `nil` opens them, unless the supervisor gave some.
  /// - Throws: `StartError`.
  package init(
    _ settings: Settings,
    link: SupervisorLink? = nil,
    sockets: [CInt]? = nil
  ) throws(StartError) {
    self.link = link
    passed = sockets
    do {
      let watching = Monitor<PluginWatcher?>(nil)
      self.watching = watching
      let drain = Drain(
        notice: settings.limits.drainNotice.nanoseconds,
        limit: settings.limits.drainTime.nanoseconds
      ) { watching.withLock { $0 }?.look() }
      self.drain = drain
      signals = try Signals { [drain] signal in drain.received(signal) }
      do { try Directory.make(settings.dataDirectory) } catch {
        throw StartError(description: "cannot make \(settings.dataDirectory) (DATA_DIR): \(error)")
      }
      let writer = try LogWriter(output: STDERR_FILENO)
      let log = Log(writer: writer, level: settings.logLevel, format: settings.logFormat)
      revocations = try RevocationStore(
        path: settings.dataDirectory + "/gateway.db",
        now: linux_realtime() / 1_000_000_000
      )
      core = try Core(settings: settings, writer: writer, log: log, revocations: revocations)
      core.counts.withLock { $0 = link?.order.counts }
      ends = (0..<settings.workers).map { ServerEnd(index: $0) }
      desk = AnswerDesk(ends: ends, limits: settings.limits)
      registry = try PluginRegistry(
        settings: settings,
        log: log,
        sink: desk,
        outlet: EventPost(ends: ends),
        pool: core.pool,
        metrics: core.metrics,
        health: core.health,
        reserved: BuiltIn.reserved,
        probe: settings.probePlugins ? PluginProbe() : nil,
        quarantine: Self.quarantine(link, settings.crashPolicy),
        routeHost: RouteSwitch(core: core, ends: ends)
      )
      if link?.order.takesOver != true { try openControl() }
    } catch let error as StartError {
      throw error
    } catch {
      throw StartError(description: "\(error)")
    }
    try loadPlugins()
  }

  /// Loads the plugins, and notices from here on what is put in their place.
  private func loadPlugins() throws(StartError) {
    do {
      try registry.adopt(PluginAdministration(registry))
    } catch {
      throw StartError(description: "\(error)")
    }
    // Made before the load: what is put in place meanwhile is followed afterwards.
    var watcher: PluginWatcher?
    do throws(SystemError) {
      watcher = try PluginWatcher(registry)
      watching.withLock { $0 = watcher }
    } catch { noteBlindness(error) }
    _ = registry.loadAll()
    do throws(SystemError) { try watcher?.begin() } catch { noteBlindness(error) }
  }

  private func noteBlindness(_ error: SystemError) {
    core.log.write(
      .warning,
      "renames are not noticed; use gateway plugin reload",
      [("error", "\(error)")]
    )
  }

  /// Until then another process answers there, when this one is to take over.
  private func openControl() throws(ControlSocket.Failure) {
    let registry = registry
    let directory = core.settings.dataDirectory
    control = try ControlSocket(
      directory: directory,
      takesOver: link?.order.takesOver ?? false
    ) { Self.addCrashes(CrashJournal(directory: directory), to: registry.answer($0)) }
  }

  /// Gives each plugin of an answer its crashes, the newest last.
  private static func addCrashes(_ journal: CrashJournal, to answer: JSON) -> JSON {
    guard var members = answer.asMembers,
      let place = members.firstIndex(where: { $0.name == "plugins" }),
      let plugins = members[place].value.asArray
    else { return answer }
    members[place].value = .array(
      plugins.map { plugin in
        let crashes = journal.reports(of: plugin["name"]?.asString ?? "").map(\.json)
        return .object(
          (plugin.asMembers ?? []) + [JSON.Member(name: "crashes", value: .array(crashes))]
        )
      }
    )
    return .object(members)
  }

  private static func quarantine(
    _ link: SupervisorLink?,
    _ policy: Settings.CrashPolicy
  ) -> Quarantine {
    guard let order = link?.order else { return Quarantine() }
    return Quarantine(order.leftOut, isolates: policy == .isolate) { plugin in
      SupervisorLink.forgive(plugin, on: order.channel)
    }
  }

  /// Serves until a signal has stopped it and everything has ended.
  ///
  /// - Parameter started: Called once requests are accepted.
  /// - Throws: `StartError` when the address cannot be listened on.
  package func run(started: (Gateway) -> Void) throws(StartError) {
    let loop: EventLoop
    let first: Server
    var threads: [HostThread] = []
    do throws(SystemError) {
      loop = try EventLoop()
      // Under a supervisor only what that one passes on counts; see `Supervisor.forward`.
      if link == nil { try signals.watch(on: loop) }
      first = Server(core: core, loop: loop, end: ends[0], desk: desk)
      let sockets = try self.sockets()
      port = ListeningSockets.port(of: sockets[0])
      let shares = try ListeningSockets.divide(sockets, over: max(ends.count, 1))
      for socket in shares[0] { try first.listen(on: socket) }
      for index in 1..<max(ends.count, 1) { threads.append(try startWorker(index, shares[index])) }
    } catch {
      core.writer.close()
      throw StartError(
        description: ListeningSockets.refusal(core.settings.host, core.settings.port, error)
      )
    }
    drain.attach(first, ends: ends)
    try takeOver(on: loop)
    let housekeeping = Housekeeping(core: core, revocations: revocations, loop: loop)
    core.isReady.store(true, ordering: .releasing)
    started(self)
    do throws(SystemError) { try loop.run() } catch {
      core.log.write(.error, "the loop failed", [("error", "\(error)")])
    }
    loop.remove(housekeeping)
    for thread in threads { thread.join() }
    shutDown()
  }

  /// Hears the supervisor, and answers the command line in the place of the process before.
  private func takeOver(on loop: EventLoop) throws(StartError) {
    guard let link else { return }
    link.retired = { [drain] in drain.retire() }
    link.signalled = { [drain] signal in drain.received(signal) }
    link.counted = { [core] counts in core.counts.withLock { $0 = counts } }
    do {
      try link.watch(on: loop)
      if control == nil { try openControl() }
    } catch {
      throw StartError(description: "\(error)")
    }
  }

  /// Those of the supervisor, those of the service manager, or new ones.
  private func sockets() throws(SystemError) -> [CInt] {
    if let passed = link?.order.listeners ?? passed { return passed }
    let settings = core.settings
    return try ListeningSockets.open(host: settings.host, port: settings.port, count: ends.count)
  }

  private func startWorker(_ index: Int, _ sockets: [CInt]) throws(SystemError) -> HostThread {
    let (core, end, desk) = (core, ends[index], desk)
    let ready = Monitor<SystemError??>(nil)
    let thread = try HostThread(name: "loop \(index)") {
      do throws(SystemError) {
        let loop = try EventLoop()
        let server = Server(core: core, loop: loop, end: end, desk: desk)
        for socket in sockets { try server.listen(on: socket) }
        ready.withLock { $0 = .some(nil) }
        ready.wakeAll()
        try withExtendedLifetime(server) { () throws(SystemError) in try loop.run() }
      } catch {
        ready.withLock { $0 = error }
        ready.wakeAll()
        core.log.write(.error, "a loop failed", [("error", "\(error)")])
      }
    }
    let outcome = ready.wait { $0 }
    if let failure = outcome ?? nil { throw failure }
    return thread
  }

  private func shutDown() {
    registry.endChanges()
    control?.close()
    watching.withLock { $0.take() }?.close()
    registry.shutDown(limit: core.settings.limits.drainTime)
    core.pool.shutDown()
    core.log.write(.info, "stopped")
    core.writer.close()
  }
}
