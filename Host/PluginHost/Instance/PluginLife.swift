import CGatewayPlugin
import Glibc
import Synchronization

/// The steps of an instance's life, in their order; each is called once, by its registry.
extension PluginInstance {
  enum LifeError: Error, Equatable {
    /// The step was refused, with the plugin's sentence.
    case refused(step: String, sentence: String)
    /// The step has not returned in time; its code can never be unmapped.
    case hangs(step: String)
  }

  /// How long create and activate may take.
  static let setupLimit = Duration.seconds(60)
  /// How long quiesce and destroy may each take: as long as a drain, and not longer than this.
  static let endLimit = Duration.seconds(10)

  /// The same in nanoseconds, for this gateway.
  var endNanoseconds: Int64 { min(Self.endLimit, host.limits.drainTime).nanoseconds }

  /// Lets the plugin make itself and declare what it has.
  func create(settings: [UInt8]) throws(LifeError) {
    let before = ThreadCensus.own()
    try setUp("create", .create) { [self] in
      var plugin: UnsafeMutableRawPointer?
      let status = unsafe withLent(settings) { settings in
        unsafe library.descriptor.pointee.create(hostTable, settings, &plugin)
      }
      let made = unsafe Callback<Void>((), user: plugin)
      declared.withLock { declared in
        declared.plugin = made
        // Without a self a failed create left nothing to destroy; a good one may need none.
        declared.hasSelf = unsafe status == GW_OK || made.user != nil
        // A create that returns after its time was given up finds the instance closed.
        if declared.phase == .creating { declared.phase = .created }
      }
      return status
    }
    library.noteForeignThreads(ThreadCensus.foreign(since: before))
  }

  /// Lets the plugin begin; requests may arrive from here on.
  func activate() throws(LifeError) {
    let before = ThreadCensus.own()
    let plugin = declared.withLock { declared in
      declared.phase = .activating
      return declared.plugin
    }
    try setUp("activate", .activate) { [self] in
      unsafe library.descriptor.pointee.activate(plugin.user)
    }
    library.noteForeignThreads(ThreadCensus.foreign(since: before))
  }

  /// Gives it everything of its plugin's but the routes: topics, events, services, metrics, checks, repeated work.
  ///
  /// Another generation that has them loses them. Once it is active; or parked, to be gone back to.
  func begin() {
    let declared = declared.withLock { declared in
      declared.phase = .active
      return declared
    }
    host.metrics.expose(declared.metrics, owner: id)
    host.directory.expose(declared.services, of: id)
    host.exchange.expose(Array(declared.topics.values), declared.subscriptions, of: id)
    host.health.run(id, version: version)
    for check in declared.checks { check.start(on: host.health, service: id) }
    for work in declared.periodic { work.start(delay: work.interval) }
  }

  /// Stops its checks and repeated work; what is under way goes on.
  func park() {
    let declared = declared.withLock { declared in
      declared.phase = .parked
      return declared
    }
    for check in declared.checks { check.stop() }
    for work in declared.periodic { work.stop() }
  }

  /// Stops the plugin's own activity and waits until nothing of it runs any more.
  ///
  /// - Parameter deadline: In nanoseconds of the monotonic clock.
  /// - Returns: What is still waited for at the deadline, in words; nothing when it can be destroyed.
  func quiesce(by deadline: Int64) -> [String] {
    let plugin = endActivity()
    var waits: [String] = []
    if let plugin, !askToQuiesce(plugin, by: deadline) { waits.append("its answer to quiesce") }
    if let step = stuckStep.withLock({ $0 }) { waits.append("its \(step)") }
    if !hasNoRequests(by: deadline) { waits.append("\(requestsUnderWay) requests") }
    let left = occupancy.close(by: deadline)
    guard !left.isEmpty else { return waits }
    cancelCalls()
    let grace = MonotonicClock.now + 1_000_000_000
    if !occupancy.close(by: grace).isEmpty {
      waits += occupancy.remaining
      waits += jobs.running.map { "job '\($0)'" }
    }
    return waits
  }

  /// Waits until no request is under way.
  ///
  /// - Parameter deadline: In nanoseconds of the monotonic clock.
  /// - Returns: `false` when some still are at the deadline.
  func hasNoRequests(by deadline: Int64) -> Bool {
    while requestsUnderWay > 0 {
      // The counters are raised on every request and have no bell; at most 1,000 looks a second, at a change only.
      guard MonotonicClock.now < deadline else { return false }
      let pause = MonotonicClock.now + 1_000_000
      let _: Bool? = Monitor(()).wait(until: min(pause, deadline)) { _ in nil }
    }
    return true
  }

  /// Waits until no round of its repeated work runs or waits for a thread; once it is parked, none begins any more.
  ///
  /// - Parameter deadline: In nanoseconds of the monotonic clock.
  /// - Returns: `false` when some still does at the deadline.
  func hasNoRounds(by deadline: Int64) -> Bool {
    let periodic = declared.withLock { $0.periodic }
    while periodic.contains(where: \.isBusy) {
      guard MonotonicClock.now < deadline else { return false }
      let pause = MonotonicClock.now + 1_000_000
      let _: Bool? = Monitor(()).wait(until: min(pause, deadline)) { _ in nil }
    }
    return true
  }

  /// Ends the activity of a plugin whose create or activate failed; such a plugin is not asked to quiesce.
  ///
  /// - Parameter deadline: In nanoseconds of the monotonic clock.
  /// - Returns: What is still inside at the deadline, in words.
  func endWithoutAsking(by deadline: Int64) -> [String] {
    _ = endActivity()
    cancelCalls()
    return occupancy.close(by: deadline)
  }

  /// Frees the plugin and ends its context.
  ///
  /// - Returns: Why its code cannot be unmapped, or `nil`.
  func destroy() -> String? {
    withdraw()
    let (plugin, hasSelf) = declared.withLock { declared in
      declared.phase = .destroyed
      return (declared.plugin, declared.hasSelf)
    }
    var obstacle: String?
    if hasSelf {
      let before = ThreadCensus.own()
      let deadline = MonotonicClock.now + endNanoseconds
      let done = SetupThread.run("\(id) destroy", by: deadline) { [self] in
        site.within(.destroy) { unsafe library.descriptor.pointee.destroy(plugin.user) }
        return true
      }
      if done == nil { obstacle = "its destroy has not returned" }
      library.noteForeignThreads(ThreadCensus.foreign(since: before))
    }
    ContextTable.release(context)
    guard obstacle == nil else { return obstacle }
    declared.withLock { $0 = Declared(phase: .destroyed) }
    site.close()
    // A thread of the plugin's own may still look at these.
    guard library.tie == nil else { return nil }
    unsafe hostTable.deallocate()
    unsafe directory.deallocate()
    return nil
  }

  /// Takes back everything the plugin declared, so that nothing new finds it.
  func withdraw() {
    host.directory.remove(context: context)
    host.operations.revokeAll(owner: context, status: GW_E_GONE)
    host.claims.release(context: context)
  }

  /// Takes back what only the generation that serves has: for a plugin of which no other generation follows.
  func conceal() {
    host.exchange.remove(plugin: id)
    host.metrics.remove(owner: id)
    host.health.stop(id)
  }

  /// Ends what the plugin does by itself; gives its `self` when it has one.
  private func endActivity() -> Callback<Void>? {
    let old = declared.withLock { declared in
      declared.phase = .quiescing
      return declared
    }
    for work in old.periodic { work.stop() }
    for check in old.checks { check.stop() }
    for subscription in old.subscriptions { subscription.close() }
    host.directory.remove(context: context)
    jobs.stopAll()
    return old.hasSelf ? old.plugin : nil
  }

  private func askToQuiesce(_ plugin: Callback<Void>, by deadline: Int64) -> Bool {
    let answer = Monitor(false)
    let done = host.operations.open(owner: context, kind: .completion) { _, _ in
      answer.withLock { $0 = true }
      answer.wakeAll()
    }
    guard let done else { return false }
    let returned = SetupThread.run("\(id) quiesce", by: deadline) { [self] in
      site.within(.quiesce) { unsafe library.descriptor.pointee.quiesce(plugin.user, done) }
      return true
    }
    let answered: Bool? = answer.wait(until: deadline) { $0 ? true : nil }
    return returned == true && answered == true
  }

  private func cancelCalls() {
    let calls = declared.withLock { $0.calls }
    for call in calls { host.operations.revoke(gw_operation(v: call), status: GW_E_GONE) }
    host.operations.revokeAll(owner: context, status: GW_E_GONE)
  }

  /// Runs one step on a thread of its own, bounded in time.
  func setUp(
    _ step: String,
    _ code: CodeStep,
    limit: Duration = setupLimit,
    _ body: @escaping @Sendable () -> gw_status
  ) throws(LifeError) {
    let deadline = MonotonicClock.now + limit.nanoseconds
    // The sentence is kept by thread, so it is fetched on the one that ran the step.
    let outcome = SetupThread.run("\(id) \(step)", by: deadline) { [self] in
      let status = site.within(code, body)
      return (status: status, sentence: takeError())
    }
    guard let outcome else {
      stuckStep.withLock { $0 = step }
      throw .hangs(step: step)
    }
    guard outcome.status == GW_OK else {
      let sentence =
        outcome.sentence
        ?? "\(step) returned \(Status.name(outcome.status)) and gave no reason (core->set_error)"
      throw .refused(step: step, sentence: sentence)
    }
  }
}

extension PluginInstance.LifeError: CustomStringConvertible {
  var description: String {
    switch self {
    case .refused(let step, let sentence): "\(step) failed: \(sentence)"
    case .hangs(let step): "\(step) has not returned in time"
    }
  }
}
