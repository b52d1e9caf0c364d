package import GatewayPlugin
package import Peering
import PluginStorage
import Synchronization

/// The node's side of the fog: says to coordinators what this machine has, takes their leases, and runs the jobs.
///
/// May be called from any thread. All threads are the host's: one for each lease, and workers for heartbeats.
package final class FogWorker: Sendable {
  /// Between two looks for what is due.
  package static let tick: Duration = .milliseconds(100)

  let around: WorkerSurroundings
  let calls: any PeerCalls
  let settings: WorkerSettings
  /// Folder of all leases.
  let directory: String
  let book = Mutex(WorkerBook())
  let machine = Mutex(Measurement())
  let forge = Mutex(ForgeStanding())
  /// Whether programs of strangers can be run here.
  let isolation = Mutex<Result<Sandbox, IsolationRefusal>>(
    .failure(IsolationRefusal("the sandbox has not been tried yet"))
  )

  /// A worker of a gateway; in the plugin's `init`.
  ///
  /// - Parameters:
  ///   - host: The gateway.
  ///   - calls: To the peers.
  ///   - directory: Absolute path of a folder of the worker's own; made when absent.
  ///   - settings: What the operator lends.
  /// - Throws: `PluginFailure`, `HostRefusal`.
  package convenience init(
    host: Host,
    calls: any PeerCalls,
    directory: String,
    settings: WorkerSettings
  ) throws {
    do { try Folder.make(directory) } catch {
      throw PluginFailure("The folder for jobs \(directory) cannot be made: \(error).")
    }
    try self.init(
      around: WorkerSurroundings(host: host, directory: directory + "/leases"),
      calls: calls,
      directory: directory,
      settings: settings
    )
    try host.jobs.every(Self.tick, name: "fog node") { [self] _ in advance() }
  }

  /// A worker that rests until `activate`.
  ///
  /// - Parameters:
  ///   - around: What it is given.
  ///   - calls: To the peers; two methods are served there.
  ///   - directory: Absolute path of a folder that is there.
  ///   - settings: What the operator lends.
  /// - Throws: `PluginFailure`.
  package init(
    around: WorkerSurroundings,
    calls: any PeerCalls,
    directory: String,
    settings: WorkerSettings
  ) throws {
    self.around = around
    self.calls = calls
    self.settings = settings
    self.directory = directory + "/leases"
    do { try Folder.make(self.directory) } catch {
      throw PluginFailure("The folder for jobs \(self.directory) cannot be made: \(error).")
    }
    calls.serve("fog.lease") { [weak self] (peer, body) throws(CallFailure) in
      guard let self else { throw .refused(code: "DRAINING", message: "the node has ended") }
      return try self.take(body, from: peer)
    }
    calls.serve("fog.cancel") { [weak self] (peer, body) throws(CallFailure) in
      self?.cancel(body, from: peer)
      return CallBody()
    }
  }

  /// What of Agent Forge is here.
  struct ForgeStanding {
    var trains = false
    var answers = false
    var nextLook: UInt64 = 0
    /// Whether what an earlier life left there was removed.
    var isSwept = false
  }

  // MARK: - Life

  /// Begins: removes what an earlier life left, tries the sandbox on a thread of its own, and calls coordinators.
  package func activate() {
    guard settings.isEnabled else { return }
    machine.withLock { $0 = around.measure() }
    book.withLock { $0.isResting = false }
    do {
      try around.startJob("fog isolation check") { [self] _ in
        let result = around.isolate()
        let place = try? result.get().place
        for name in LeaseFolder.removeLeftovers(in: directory, place) {
          around.warn("What an earlier job left could not be removed.", name)
        }
        if case .failure(let refusal) = result, settings.types.contains(.process) {
          around.warn("This node takes no process jobs.", refusal.description)
        }
        isolation.withLock { $0 = result }
      }
    } catch {
      isolation.withLock {
        $0 = .failure(IsolationRefusal("the gateway lends no thread to try the sandbox: \(error)"))
      }
    }
  }

  /// Ends all jobs, so that they run elsewhere at once, and takes nothing further.
  package func quiesce() {
    let held = book.withLock { book in
      book.isResting = true
      return book.held
    }
    for lease in held { lease.end(.leaving("restarting")) }
  }

  /// Works for a coordinator from now on; this gateway's own is one.
  package func join(coordinator: PeerID) { book.withLock { $0.join(coordinator) } }

  /// Works for it no more; its jobs end, to run elsewhere.
  package func leave(_ coordinator: PeerID) {
    for lease in book.withLock({ $0.leave(coordinator) }) { lease.end(.leaving("leaving")) }
  }

  /// Finishes what it has and takes nothing new; `false` takes new jobs again.
  package func drain(_ isDraining: Bool = true) {
    book.withLock { $0.isDraining = isDraining }
  }

  /// How it stands with each coordinator.
  package var standing: [(peer: PeerID, isRegistered: Bool, trouble: String?)] {
    book.withLock { $0.standing }
  }

  /// Whether it has jobs.
  package var isBusy: Bool { book.withLock { !$0.held.isEmpty } }

  // MARK: - Leases

  private func take(_ body: CallBody, from peer: PeerID) throws(CallFailure) -> CallBody {
    let offer: LeaseOffer
    do {
      var fields = Fields(body.json)
      offer = LeaseOffer(&fields)
      try fields.finish(unknown: .ignored)
    } catch {
      throw .refused(code: "VALIDATION_ERROR", message: error.message)
    }
    try checkAbility(offer)
    let room = room
    let lease = try book.withLock { (book) throws(CallFailure) in
      try book.take(offer, from: peer, room, at: around.now())
    }
    guard let lease else { return CallBody() }
    do { try start(lease) } catch {
      book.withLock { $0.forget(lease.key) }
      throw .refused(code: "NO_ROOM", message: "the gateway lends no thread: \(error)")
    }
    return CallBody()
  }

  /// Refuses what this node cannot do at all.
  private func checkAbility(_ offer: LeaseOffer) throws(CallFailure) {
    guard settings.isEnabled, settings.types.contains(offer.type) else {
      throw .refused(code: "NO_CAPABILITY", message: "this node takes no \(offer.type.rawValue)")
    }
    if offer.type == .process, case .failure(let refusal) = isolation.withLock({ $0 }) {
      throw .refused(code: "CANNOT_ISOLATE", message: refusal.description)
    }
    guard offer.type == .process || offer.requirements.gpuCount == 0 else {
      throw .refused(code: "NO_CAPABILITY", message: "Agent Forge computes on processors alone")
    }
    let standing = forge.withLock { $0 }
    guard offer.type != .train || standing.trains, offer.type != .inference || standing.answers
    else { throw .refused(code: "NO_CAPABILITY", message: "Agent Forge does not run here") }
  }

  private func start(_ lease: ActiveLease) throws {
    try around.startJob("fog lease \(lease.offer.jobID)") { [self] shouldStop in
      let run = LeaseRun(
        lease: lease,
        calls: LeaseCalls(lease, calls, shouldStop: shouldStop),
        around: around,
        settings: settings,
        directory: directory,
        sandbox: isolation.withLock { try? $0.get() }
      )
      run.live()
      book.withLock { $0.forget(lease.key) }
    }
  }

  private func cancel(_ body: CallBody, from peer: PeerID) {
    guard let id = body.json["lease_id"]?.asString else { return }
    book.withLock { $0.lease(ActiveLease.Key(peer, id)) }?.end(.cancelled)
  }
}
