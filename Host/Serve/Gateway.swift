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
  private let control: ControlSocket
  private let revocations: RevocationStore
  private let watching: Monitor<PluginWatcher?>

  /// Makes everything and loads the plugins; serves nothing yet.
  ///
  /// Call it on the main thread before any other thread is made: it blocks the stop signals, and
  /// threads inherit that.
  ///
  /// - Parameter settings: What the operator decided.
  /// - Throws: `StartError`.
  package init(_ settings: Settings) throws(StartError) {
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
        routeHost: RouteSwitch(core: core, ends: ends)
      )
      let registry = registry
      control = try ControlSocket(directory: settings.dataDirectory) { registry.answer($0) }
    } catch let error as StartError {
      throw error
    } catch {
      throw StartError(description: "\(error)")
    }
    do {
      try registry.adopt(PluginAdministration(registry))
    } catch {
      throw StartError(description: "\(error)")
    }
    _ = registry.loadAll()
    do throws(SystemError) {
      let watcher = try PluginWatcher(registry)
      watching.withLock { $0 = watcher }
    } catch {
      core.log.write(
        .warning,
        "renames are not noticed; use gateway plugin reload",
        [("error", "\(error)")]
      )
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
      try signals.watch(on: loop)
      first = Server(core: core, loop: loop, end: ends[0], desk: desk)
      if ends.count > 1 { try checkPort(loop) }
      port = try first.listen(port: core.settings.port)
      for index in 1..<max(ends.count, 1) { threads.append(try startWorker(index, port: port)) }
    } catch {
      core.writer.close()
      throw StartError(
        description:
          "cannot listen on \(core.settings.host):\(core.settings.port) (HOST, PORT): \(error)"
      )
    }
    drain.attach(first, ends: ends)
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

  /// Refuses a port that another process has: loops that share theirs would share it with that one
  /// too, which then gets a part of the connections.
  private func checkPort(_ loop: EventLoop) throws(SystemError) {
    guard core.settings.port != 0 else { return }
    let probe = try Listener(
      host: core.settings.host,
      port: core.settings.port,
      isShared: false,
      loop: loop
    ) { _, _ in }
    probe.close()
  }

  private func startWorker(_ index: Int, port: UInt16) throws(SystemError) -> HostThread {
    let (core, end, desk) = (core, ends[index], desk)
    let ready = Monitor<SystemError??>(nil)
    let thread = try HostThread(name: "loop \(index)") {
      do throws(SystemError) {
        let loop = try EventLoop()
        let server = Server(core: core, loop: loop, end: end, desk: desk)
        _ = try server.listen(port: port)
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
    control.close()
    watching.withLock { $0.take() }?.close()
    registry.shutDown(limit: core.settings.limits.drainTime)
    core.pool.shutDown()
    core.log.write(.info, "stopped")
    core.writer.close()
  }
}
