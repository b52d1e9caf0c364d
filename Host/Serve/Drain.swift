import Glibc
import Synchronization

/// Stops the gateway in order: readiness says no, the listeners close, requests finish, loops end.
///
/// Lives on the first loop; the others report to it.
package final class Drain: Source {
  private enum Stage {
    case serving
    /// Another process serves: connections end with their next answer.
    case retired
    /// Pollers are given time to see that the gateway is not ready.
    case noticed
    case draining
    case cancelled
  }

  /// How long a connection has, at most, to ask once more of a process that another one has replaced.
  static let retirement: Int64 = 5_000_000_000

  private var stage = Stage.serving
  /// Whether a stop signal has come: of a process that another has replaced, the drain began without.
  private var isAskedToStop = false
  private let notice: Int64
  private let limit: Int64
  /// Reads the plugins directory again; returns at once.
  private let rescan: () -> Void
  private var server: Server?
  private var ends: [ServerEnd] = []
  private var busy: Set<Int> = []

  /// - Parameters:
  ///   - notice: Nanoseconds between the signal and the closing of the listeners.
  ///   - limit: Nanoseconds that requests under way may take after that.
  ///   - rescan: What SIGHUP asks for; must return at once.
  init(notice: Int64, limit: Int64, rescan: @escaping () -> Void) {
    self.rescan = rescan
    self.notice = notice
    self.limit = limit
  }

  func attach(_ server: Server, ends: [ServerEnd]) {
    self.server = server
    self.ends = ends
    server.loop.add(self)
  }

  /// A stop signal begins the drain, a second one ends it at once; SIGHUP has the plugins read again.
  func received(_ signal: CInt) {
    guard let server else { return }
    guard signal != SIGHUP else { return rescan() }
    let isFirst = !isAskedToStop
    isAskedToStop = true
    if case .retired = stage { return begin() }
    if case .draining = stage, isFirst { return }
    guard case .serving = stage else {
      server.core.log.write(.warning, "second stop signal: cancelling what is under way")
      return cancel()
    }
    stage = .noticed
    server.core.isDraining.store(true, ordering: .releasing)
    server.core.endsConnections.store(true, ordering: .releasing)
    server.core.log.write(.info, "draining", [("connections", "\(server.core.connections.total)")])
    server.loop.setDeadline(self, at: server.loop.now + notice)
  }

  /// Another process serves from here on: takes no connection any more and ends once the last one is gone.
  ///
  /// The gateway as a whole stays ready, so `/health/ready` goes on saying so. A connection that is idle may ask once
  /// more: closed now, it might have a request on its way.
  func retire() {
    guard let server, case .serving = stage else { return }
    stage = .retired
    server.core.endsConnections.store(true, ordering: .releasing)
    server.core.log.write(
      .info,
      "another process serves; draining",
      [("connections", "\(server.core.connections.total)")]
    )
    server.loop.setDeadline(self, at: server.loop.now + min(Self.retirement, max(limit, notice)))
    tellAll { $0.retire() }
  }

  package override func expired() {
    switch stage {
    case .serving: break
    case .retired: begin()
    case .noticed: begin()
    case .draining: cancel()
    case .cancelled: finish()
    }
  }

  private func begin() {
    guard let server else { return }
    stage = .draining
    server.loop.setDeadline(self, at: server.loop.now + limit)
    tellAll { $0.drain() }
  }

  /// Has each loop do `work` and say when its last connection is gone.
  private func tellAll(_ work: @escaping @Sendable (Server) -> Void) {
    busy = Set(ends.indices)
    let (home, drain) = (ends[0], token)
    for (index, end) in ends.enumerated() {
      end.post { server in
        server.whenEmpty = {
          home.post { first in (first.loop.source(token: drain) as? Drain)?.emptied(index) }
        }
        work(server)
      }
    }
  }

  private func emptied(_ index: Int) {
    busy.remove(index)
    if busy.isEmpty { finish() }
  }

  private func cancel() {
    guard let server else { return }
    if case .serving = stage { return }
    if case .noticed = stage { begin() }
    stage = .cancelled
    server.core.log.write(
      .warning,
      "drain limit reached, connections are cut",
      [("connections", "\(server.core.connections.total)")]
    )
    for end in ends { end.post { $0.cancelAll() } }
    // What cannot be cut within a second will not be waited for.
    server.loop.setDeadline(self, at: server.loop.now + 1_000_000_000)
  }

  private func finish() {
    for end in ends {
      end.post { server in
        server.accessLog?.flush()
        server.loop.stop()
        server.end.detach()
      }
    }
  }
}
