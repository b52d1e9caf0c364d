import CGatewayPlugin
import Synchronization

/// The jobs of one plugin instance: which run, and which should end.
final class JobTable: Sendable {
  private struct Slot {
    var generation: UInt32 = 0
    var name = ""
    var hasThread = false
    var isLive = false
    var shouldStop = false
  }

  private struct State {
    var slots: [Slot] = []
    var isStopping = false
  }

  /// Jobs with a thread of their own at once.
  private let limit: Int
  private let state = Mutex(State())

  private let changed: @Sendable (_ isStopping: Bool) -> Void

  /// - Parameters:
  ///   - limit: Jobs with a thread of their own at once.
  ///   - changed: Hears that all jobs should end, or may begin again.
  init(limit: Int, changed: @escaping @Sendable (_ isStopping: Bool) -> Void = { _ in }) {
    self.limit = limit
    self.changed = changed
  }

  /// Makes a job that is about to run; `nil` when it wants a thread and there are too many.
  func begin(_ name: String, hasThread: Bool) -> gw_job? {
    state.withLock { state in
      if hasThread, state.slots.count(where: { $0.isLive && $0.hasThread }) >= limit { return nil }
      let index = state.slots.firstIndex { !$0.isLive } ?? state.slots.count
      if index == state.slots.count { state.slots.append(Slot()) }
      state.slots[index].generation &+= 1
      if state.slots[index].generation == 0 { state.slots[index].generation = 1 }
      state.slots[index].name = name
      state.slots[index].hasThread = hasThread
      state.slots[index].isLive = true
      state.slots[index].shouldStop = false
      return gw_job(v: UInt64(state.slots[index].generation) << 32 | UInt64(index))
    }
  }

  func end(_ job: gw_job) {
    state.withLock { state in
      guard let index = Self.index(of: job, in: state) else { return }
      state.slots[index].isLive = false
    }
  }

  /// Also `true` for a job that has ended or never was: whoever asks should not go on.
  func shouldStop(_ job: gw_job) -> Bool {
    state.withLock { state in
      guard !state.isStopping, let index = Self.index(of: job, in: state) else { return true }
      return state.slots[index].shouldStop
    }
  }

  /// Asks one job to end; `false` when it has ended.
  func stop(_ job: gw_job) -> Bool {
    state.withLock { state in
      guard let index = Self.index(of: job, in: state) else { return false }
      state.slots[index].shouldStop = true
      return true
    }
  }

  /// Asks all jobs to end, and those that begin later too.
  func stopAll() {
    state.withLock { $0.isStopping = true }
    changed(true)
  }

  /// Lets jobs begin again.
  func resume() {
    state.withLock { $0.isStopping = false }
    changed(false)
  }

  var isStopping: Bool { state.withLock { $0.isStopping } }

  /// Names of the jobs that run on threads of their own.
  var named: [String] {
    state.withLock { state in state.slots.filter { $0.isLive && $0.hasThread }.map(\.name) }
  }

  /// Names of the jobs that run.
  var running: [String] {
    state.withLock { state in state.slots.filter(\.isLive).map(\.name) }
  }

  private static func index(of job: gw_job, in state: State) -> Int? {
    let index = Int(job.v & 0xFFFF_FFFF)
    guard index < state.slots.count, state.slots[index].isLive,
      UInt64(state.slots[index].generation) == job.v >> 32
    else { return nil }
    return index
  }
}
