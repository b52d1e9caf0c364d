internal import CGatewayPlugin
internal import Synchronization

/// The host's threads.
///
/// A plugin makes none of its own: they would outlive its code.
public struct Jobs: Sendable {
  let host: Host

  /// What a running job may ask and be asked.
  public struct Job: Sendable {
    let host: Host
    let handle: gw_job

    /// Whether the job should end: the instance stops, or `stop` was called.
    public var shouldStop: Bool {
      guard host.isLive, let table = unsafe host.tables.jobs else { return true }
      return unsafe table.pointee.should_stop(host.tables.context, handle) != 0
    }

    /// Asks the job to end.
    public func stop() {
      guard host.isLive, let table = unsafe host.tables.jobs else { return }
      // Refused only when the job is over, which is what was wanted.
      _ = unsafe table.pointee.stop(host.tables.context, handle)
    }
  }

  /// What a job runs.
  ///
  /// What it throws is logged.
  public typealias Work = @Sendable (Job) throws -> Void

  /// Whether this gateway lends threads.
  public var isAvailable: Bool { unsafe host.tables.jobs != nil }

  /// Runs `work` on a thread of its own for as long as it takes; from any thread.
  ///
  /// - Parameters:
  ///   - name: Shown to operators.
  ///   - work: Must look at `shouldStop`.
  /// - Returns: The job.
  /// - Throws: What the gateway refused; `work` is let go without having run.
  @discardableResult
  public func start(_ name: String, _ work: @escaping Work) throws(HostRefusal) -> Job {
    let table = try unsafe table()
    let box = unsafe Unmanaged.passRetained(Task(host: host, name: name, work: work))
    var handle = gw_job(v: 0)
    let status = unsafe lend(name) {
      unsafe table.pointee.start(host.tables.context, $0, runOnce, box.toOpaque(), &handle)
    }
    if status < 0 { unsafe box.release() }
    try HostRefusal.check(status, GW_JOBS_1)
    return Job(host: host, handle: handle)
  }

  /// Runs `work` on a worker soon; from any thread.
  ///
  /// - Parameter work: Should be short; a long one belongs in `start`.
  /// - Throws: `HostRefusal.busy` when the pool is full; `work` is let go without having run.
  public func submit(_ work: @escaping Work) throws(HostRefusal) {
    let table = try unsafe table()
    let box = unsafe Unmanaged.passRetained(Task(host: host, name: "submitted", work: work))
    let status = unsafe table.pointee.submit(host.tables.context, runOnce, box.toOpaque())
    if status < 0 { unsafe box.release() }
    try HostRefusal.check(status, GW_JOBS_1)
  }

  /// Runs `work` on a worker again and again, never twice at once.
  ///
  /// In `init` only.
  ///
  /// - Parameters:
  ///   - period: At least 10 ms.
  ///   - name: Shown to operators.
  ///   - work: Runs from `activate` to `quiesce`.
  /// - Throws: What the gateway refused.
  public func every(
    _ period: Duration,
    name: String,
    _ work: @escaping Work
  ) throws(HostRefusal) {
    let table = try unsafe table()
    let user = unsafe host.keep(Task(host: host, name: name, work: work))
    let status = unsafe lend(name) {
      unsafe table.pointee.every(host.tables.context, $0, period.milliseconds, runAgain, user)
    }
    try HostRefusal.check(status, GW_JOBS_1)
  }

  /// Runs `work` for each index on several threads, and returns when all have run.
  ///
  /// For a worker or a job. A gateway that lends no threads runs them one after another here.
  ///
  /// - Parameters:
  ///   - count: Indices from 0.
  ///   - width: The most threads; 0 for one each core.
  ///   - work: After it has thrown once, indices not yet begun are passed over.
  /// - Throws: The first error of `work`, or what the gateway refused.
  public func parallel(
    _ count: Int,
    width: Int = 0,
    _ work: @Sendable (Int) throws -> Void
  ) throws {
    guard host.isLive, let table = unsafe host.tables.jobs else {
      for index in 0..<count { try work(index) }
      return
    }
    try withoutActuallyEscaping(work) { work in
      let loop = ParallelLoop(work)
      let status = unsafe table.pointee.parallel(
        host.tables.context,
        count,
        width,
        runIndex,
        Unmanaged.passUnretained(loop).toOpaque()
      )
      try loop.rethrow()
      try HostRefusal.check(status, GW_JOBS_1)
    }
  }

  private func table() throws(HostRefusal) -> UnsafePointer<gw_jobs_v1> {
    guard host.isLive, let table = unsafe host.tables.jobs else { throw .unsupported(GW_JOBS_1) }
    return unsafe table
  }
}

private final class Task: Registration {
  let host: Host
  let name: String
  let work: Jobs.Work

  init(host: Host, name: String, work: @escaping Jobs.Work) {
    self.host = host
    self.name = name
    self.work = work
  }

  func run(_ job: gw_job) {
    do {
      try work(Jobs.Job(host: host, handle: job))
    } catch {
      host.log.error("A job failed.", ["job": name, "why": sentence(error)])
    }
  }
}

private final class ParallelLoop: Sendable {
  private let work: @Sendable (Int) throws -> Void
  private let failure = Mutex<(any Error)?>(nil)
  private let hasFailed = Atomic<Bool>(false)

  init(_ work: @escaping @Sendable (Int) throws -> Void) { self.work = work }

  func run(_ index: Int) {
    if hasFailed.load(ordering: .relaxed) { return }
    do {
      try work(index)
    } catch {
      hasFailed.store(true, ordering: .relaxed)
      failure.withLock { if $0 == nil { $0 = error } }
    }
  }

  func rethrow() throws {
    if let error = failure.withLock({ $0 }) { throw error }
  }
}

private func runOnce(user: UnsafeMutableRawPointer?, job: gw_job) {
  guard let user = unsafe user else { return }
  unsafe Unmanaged<Task>.fromOpaque(user).takeRetainedValue().run(job)
}

private func runAgain(user: UnsafeMutableRawPointer?, job: gw_job) {
  guard let user = unsafe user else { return }
  unsafe Unmanaged<Task>.fromOpaque(user).takeUnretainedValue().run(job)
}

private func runIndex(user: UnsafeMutableRawPointer?, index: Int) {
  guard let user = unsafe user else { return }
  unsafe Unmanaged<ParallelLoop>.fromOpaque(user).takeUnretainedValue().run(index)
}
