import Glibc
import PluginStorage
import Synchronization

/// A peer's presence on the network, for all threads; the work is done by `PeerLoop` on the one that calls `run`.
package final class PeerNetwork: Sendable {
  /// Work for the loop's thread.
  package typealias Work = @Sendable (PeerLoop) -> Void

  /// Who is told what; all three are called on the loop's thread and must return soon.
  package struct Surroundings: Sendable {
    /// Stores what came; receipts leave only after it has returned.
    ///
    /// It gives the peers of which no further messages are taken; `nil` where they are the same as before.
    package var store: @Sendable (NetworkBatch) throws -> Set<PeerID>?
    /// Takes note of an event.
    package var tell: @Sendable (NetworkEvent) -> Void
    /// Something of the machine went wrong.
    package var warn: @Sendable (String) -> Void

    package init(
      store: @escaping @Sendable (NetworkBatch) throws -> Set<PeerID>?,
      tell: @escaping @Sendable (NetworkEvent) -> Void,
      warn: @escaping @Sendable (String) -> Void
    ) {
      self.store = store
      self.tell = tell
      self.warn = warn
    }
  }

  /// Work that waits at most; more is refused.
  package static let queueLimit = 10_000

  private struct Queue {
    var works: [Work] = []
    var isOpen = true
  }

  let wakeup: Wakeup
  private let identity: Identity
  private let settings: NetworkSettings
  private let sockets = Mutex<NetworkSockets?>(nil)
  private let queue = Mutex(Queue())
  private let snapshot = Mutex(NetworkStatus())

  /// A network that is not running yet.
  ///
  /// - Parameters:
  ///   - identity: Of this peer.
  ///   - settings: Of the operator.
  /// - Throws: What the machine refused.
  package init(_ identity: Identity, _ settings: NetworkSettings) throws(NetworkError) {
    wakeup = try Wakeup()
    self.identity = identity
    self.settings = settings
  }

  /// Binds the sockets that `run` serves.
  ///
  /// - Parameter preferred: A port to be tried first where the settings leave it open; 0 for none.
  /// - Throws: What the machine refused.
  package func open(preferring preferred: UInt16) throws(NetworkError) {
    let opened = try NetworkSockets.open(
      settings.listen,
      preferring: preferred,
      group: settings.group
    )
    let local = opened.local
    sockets.withLock { $0 = opened }
    queue.withLock { $0.isOpen = true }
    snapshot.withLock { $0.local = local }
  }

  /// Where the sockets are bound; `nil` before `open`.
  package var local: Endpoint? { snapshot.withLock { $0.local } }

  /// What the network looked like when the loop last said so, at most a quarter of a second ago while it runs.
  package var status: NetworkStatus { snapshot.withLock { $0 } }

  /// Whether the loop has ended, and `post` takes nothing until `open`.
  package var hasEnded: Bool { queue.withLock { !$0.isOpen } }

  /// Ends the loop's present wait; from any thread.
  package func wake() { wakeup.signal() }

  /// Runs `work` on the loop's thread, soon; from any thread.
  ///
  /// - Returns: False when the loop does not keep up, or has ended and was not opened again: `work` is let go.
  @discardableResult
  package func post(_ work: @escaping Work) -> Bool {
    let isTaken = queue.withLock { queue in
      guard queue.isOpen, queue.works.count < Self.queueLimit else { return false }
      queue.works.append(work)
      return true
    }
    wakeup.signal()
    return isTaken
  }

  /// Serves the sockets of `open`, which it closes at its end, until it should stop.
  ///
  /// All work that was taken has run when it returns, and none is kept: what waits would hold its owner, who holds the network.
  ///
  /// - Parameters:
  ///   - roster: Who is known, still without anyone.
  ///   - surroundings: Who is told what.
  ///   - prepare: Called on the loop's thread before the first packet.
  ///   - shouldStop: Asked at least every quarter of a second.
  package func run(
    roster: Roster,
    _ surroundings: Surroundings,
    prepare: (PeerLoop) -> Void,
    until shouldStop: () -> Bool
  ) {
    guard let sockets = sockets.withLock({ $0.take() }) else {
      preconditionFailure("the sockets are opened first")
    }
    let loop = PeerLoop(identity, settings, sockets, roster, surroundings)
    prepare(loop)
    publish(loop)
    while !shouldStop() {
      loop.turn(wakeup)
      for work in takeWork() { work(loop) }
      loop.finishTurn()
      if loop.shouldPublish { publish(loop) }
      loop.tellEnded()
    }
    queue.withLock { $0.isOpen = false }
    for work in takeWork() { work(loop) }
    loop.finishTurn()
    loop.leave()
    snapshot.withLock { $0.isRunning = false }
  }

  private func takeWork() -> [Work] {
    queue.withLock { queue in
      defer { queue.works = [] }
      return queue.works
    }
  }

  private func publish(_ loop: PeerLoop) {
    let status = loop.status()
    snapshot.withLock { $0 = status }
  }
}
