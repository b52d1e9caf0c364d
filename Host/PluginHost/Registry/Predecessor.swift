import Synchronization

/// A generation that was replaced: kept for a while to be gone back to, then drained and ended.
final class Predecessor: Sendable {
  /// What it does to the plugins as a whole.
  protocol Heir: AnyObject, Sendable {
    /// Gives the plugin back to `predecessor.old`, because of `reason`.
    func goBack(_ predecessor: Predecessor, reason: String)
    /// The predecessor is over; `steps` say how.
    func ended(_ predecessor: Predecessor, steps: [ChangeReport.Step])
  }

  private enum Stage: Equatable {
    case parked, draining
    /// Its requests have ended, these jobs run on.
    case waitingForJobs([String])
    case ended
  }

  private struct State {
    var stage = Stage.parked
    /// Whether to be over as soon as it can.
    var isConcluded = false
    var endsJobs = false
  }

  let old: PluginInstance
  let new: PluginInstance
  /// Path of the plugin's file.
  let path: String
  /// Whether the jobs of `old` went on in `new`.
  let hasMovedJobs: Bool
  private let loader: PluginLoader
  private let host: HostResources
  private let routeHost: (any RouteHost)?
  /// The checks that failed before the switch: what was ill already is no reason to go back.
  private let ills: [String]
  private let state = Monitor(State())

  /// Time between two looks at the new generation.
  private static let pause: Int64 = 50_000_000
  /// Answers of the new generation before its failures count.
  private static let fewestAnswers = 10
  /// How long cancelled requests may take to end.
  private static let cancelLimit: Int64 = 2_000_000_000

  init(
    old: PluginInstance,
    new: PluginInstance,
    path: String,
    hasMovedJobs: Bool,
    ills: [String],
    loader: PluginLoader,
    host: HostResources,
    routeHost: (any RouteHost)?
  ) {
    self.old = old
    self.new = new
    self.path = path
    self.hasMovedJobs = hasMovedJobs
    self.ills = ills
    self.loader = loader
    self.host = host
    self.routeHost = routeHost
  }

  /// Watches the new generation, and ends the one of the two that does not serve, on a thread of its own.
  func follow(_ heir: any Heir) {
    do throws(SystemError) {
      try HostThread(name: "\(old.id) swap") { [self] in run(heir) }.detach()
    } catch {
      host.log.write(.warning, "no thread to watch a new generation", [("error", "\(error)")])
      run(heir)
    }
  }

  /// Has it end now.
  ///
  /// - Parameters:
  ///   - endsJobs: Tells its jobs to end, too.
  ///   - deadline: In nanoseconds of the monotonic clock; `nil` waits for as long as its requests may take.
  /// - Returns: What it still waits for; `nil` when it is over.
  func conclude(endsJobs: Bool, by deadline: Int64? = nil) -> String? {
    state.withLock { state in
      state.isConcluded = true
      if endsJobs { state.endsJobs = true }
    }
    state.wakeAll()
    let outcome: String?? = state.wait(until: deadline) { state in
      switch state.stage {
      case .ended: .some(nil)
      case .waitingForJobs(let names) where !endsJobs:
        "job \(names.map { "'\($0)'" }.joined(separator: ", "))"
      default: nil
      }
    }
    return outcome ?? "its end"
  }

  /// What it does, for operators.
  var summary: String {
    switch state.withLock({ $0.stage }) {
    case .parked: "kept, to be gone back to"
    case .draining: "draining"
    case .waitingForJobs(let names): "waiting for job \(names.joined(separator: ", "))"
    case .ended: "ended"
    }
  }

  private func run(_ heir: any Heir) {
    var steps: [ChangeReport.Step] = []
    func note(_ name: String, since began: Int64, _ detail: String) {
      let duration = Duration.nanoseconds(MonotonicClock.now - began)
      steps.append(.init(name: name, duration: duration, detail: detail))
    }
    let began = MonotonicClock.now
    let reason = watch()
    if host.limits.probation > .zero {
      note("probation", since: began, reason.map { "gone back: \($0)" } ?? "passed, or ended early")
    }
    if let reason {
      state.withLock { $0.endsJobs = true }  // they go on in the generation that serves again
      heir.goBack(self, reason: reason)
    }
    let ending = reason == nil ? old : new
    let drainBegan = MonotonicClock.now
    let waits = drain(ending)
    note("drain", since: drainBegan, waits)
    let endBegan = MonotonicClock.now
    let (state, why) = loader.end(ending, by: endBegan + ending.endNanoseconds)
    note("unload", since: endBegan, why.isEmpty ? state.rawValue : "\(state.rawValue): \(why)")
    heir.ended(self, steps: steps)
    self.state.withLock { $0.stage = .ended }
    self.state.wakeAll()
  }

  /// Watches until the probation is over; gives the reason to go back, if there is one.
  private func watch() -> String? {
    let end = MonotonicClock.now + host.limits.probation.nanoseconds
    let (answersBefore, failuresBefore) = counts(of: old)
    while true {
      let look = min(MonotonicClock.now + Self.pause, end)
      let isConcluded: Bool? = state.wait(until: look) { $0.isConcluded ? true : nil }
      let reason = worse(answersBefore, failuresBefore)
      // Decided under the lock: whoever concludes after this finds it draining.
      let isOver = state.withLock { state in
        guard reason != nil || isConcluded == true || MonotonicClock.now >= end else {
          return false
        }
        state.stage = .draining
        return true
      }
      if isOver { return reason }
    }
  }

  private func worse(_ answersBefore: Int, _ failuresBefore: Int) -> String? {
    if ills.isEmpty, let standing = host.health.checks(of: new.id, now: MonotonicClock.now),
      let ill = standing.failing.first
    {
      return "its check \(ill)"
    }
    let (answers, failures) = counts(of: new)
    guard answers >= Self.fewestAnswers else { return nil }
    let share = 100 * Double(failures) / Double(answers)
    let before = answersBefore == 0 ? 0 : 100 * Double(failuresBefore) / Double(answersBefore)
    guard share > before + Double(host.limits.probationErrorPercent) else { return nil }
    return
      "it failed \(failures) of \(answers) requests, the generation before \(failuresBefore) of \(answersBefore)"
  }

  private func counts(of instance: PluginInstance) -> (answers: Int, failures: Int) {
    let failures = instance.failures.load(ordering: .relaxed)
    return (instance.answers.load(ordering: .relaxed), failures)
  }

  /// Waits for the requests and jobs of a generation that gets no new ones.
  ///
  /// - Returns: What had to be cut off, in words.
  private func drain(_ ending: PluginInstance) -> String {
    let deadline = MonotonicClock.now + host.limits.drainTime.nanoseconds
    var words = ""
    if !ending.hasNoRequests(by: deadline) {
      words = "cancelled \(ending.requestsUnderWay) requests at the limit of LIMIT_DRAIN_SECONDS"
      ending.log(.warning, "the drain's limit has passed", [("waiting", words)])
      routeHost?.cancel(ending.context)
      _ = ending.hasNoRequests(by: MonotonicClock.now + Self.cancelLimit)
    }
    while !ending.occupancy.hasLeft(.job, by: MonotonicClock.now + Self.pause) {
      let ends = state.withLock { state in
        state.stage = .waitingForJobs(ending.jobs.running)
        return state.endsJobs
      }
      state.wakeAll()
      if ends { break }
    }
    state.withLock { $0.stage = .draining }
    return words
  }
}
