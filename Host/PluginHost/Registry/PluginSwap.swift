import Synchronization
import Wire

/// One generation taken from its library to activate, and with it whatever the one before hands over.
///
/// A failure at any step leaves the one before serving, as if nothing had been tried.
struct PluginSwap {
  let loader: PluginLoader
  let host: HostResources
  let probe: PluginProbe?
  let routeHost: (any RouteHost)?
  /// The generation that serves; `nil` when the plugin is off.
  let old: PluginInstance?
  /// Whether state that the new build cannot read is dropped.
  let dropsState: Bool
  private(set) var steps: [ChangeReport.Step] = []
  private var began = MonotonicClock.now
  /// Whether requests to the plugin wait, its repeated work rests, its jobs have ended.
  private(set) var isHolding = false
  private var isResting = false
  private(set) var hasEndedJobs = false

  /// How long jobs may take to end.
  static let jobsLimit = Duration.seconds(30)

  init(
    loader: PluginLoader,
    host: HostResources,
    probe: PluginProbe?,
    routeHost: (any RouteHost)?,
    old: PluginInstance?,
    dropsState: Bool
  ) {
    self.loader = loader
    self.host = host
    self.probe = probe
    self.routeHost = routeHost
    self.old = old
    self.dropsState = dropsState
  }

  /// Takes all steps up to activate; the routes are still the old ones.
  ///
  /// - Parameters:
  ///   - file: Enabled.
  ///   - staged: The copy of its library.
  ///   - taken: Ids of the other plugins that run, with their files.
  /// - Returns: An active generation that serves nothing yet. Call `release` when it does.
  /// - Throws: `PluginFileError`; everything is as it was.
  mutating func perform(
    _ file: PluginFile,
    _ staged: PluginLoader.Staged,
    taken: [String: String]
  ) throws(PluginFileError) -> PluginInstance {
    try tryOut(file, staged)
    let code = try open(file, staged, taken: taken)
    began = MonotonicClock.now
    let new: PluginInstance
    do { new = try loader.create(code, file) } catch { throw failed("create", error) }
    note("create", "\(new.routes.count) routes")
    do throws(PluginInstance.LifeError) {
      try handOver(to: new)
      began = MonotonicClock.now
      try new.activate()
      note("activate")
      return new
    } catch {
      // Whoever hangs may be the old one, in its snapshot.
      let isOwn = new.stuckStep.withLock { $0 != nil }
      let own = PluginInstance.LifeError.refused(step: error.step, sentence: error.description)
      loader.rollBack(new, after: isOwn ? error : own)
      takeBack()
      throw failed(error.step, loader.fault(file, error.description))
    }
  }

  /// Lets the requests that wait go on, along the routes published last.
  mutating func release() {
    guard isHolding, let old else { return }
    isHolding = false
    routeHost?.release(old.id)
  }

  /// Adds a step that began when the one before it ended.
  mutating func note(_ name: String, _ detail: String = "", hasFailed: Bool = false) {
    let now = MonotonicClock.now
    steps.append(
      .init(
        name: name,
        duration: .nanoseconds(now - began),
        detail: detail,
        hasFailed: hasFailed
      )
    )
    began = now
  }

  // MARK: - Steps

  private mutating func tryOut(
    _ file: PluginFile,
    _ staged: PluginLoader.Staged
  ) throws(PluginFileError) {
    note("copy", "sha256 \(staged.copy.digest.prefix(16))")
    guard let probe else { return }
    let verdict = probe.run(
      file: file.path,
      libraries: loader.libraryDirectory,
      library: staged.copy.path
    )
    switch verdict {
    case .passed(let report): note("probe", "\(report.name) \(report.version)")
    case .failed(let error):
      loader.discard(staged)
      throw failed("probe", error)
    }
  }

  private mutating func open(
    _ file: PluginFile,
    _ staged: PluginLoader.Staged,
    taken: [String: String]
  ) throws(PluginFileError) -> any PluginCode {
    let code: any PluginCode
    do { code = try loader.open(staged) } catch { throw failed("load", error) }
    if let reason = refusal(of: code, taken: taken) {
      _ = code.close(obstacle: nil)
      throw failed("load", loader.fault(file, reason))
    }
    note("load", code.tie.map { "stays mapped when it ends: \($0)" } ?? "")
    return code
  }

  private func refusal(of code: any PluginCode, taken: [String: String]) -> String? {
    if let old, old.id != code.id {
      return
        "this file runs the plugin \"\(old.id)\", and its library is now \"\(code.id)\"; disable \"\(old.id)\" first"
    }
    if let other = taken[code.id] {
      return
        "the plugin \"\(code.id)\" is loaded already, from \(other); disable one of the files"
    }
    if let tie = old?.library.tie, host.retired.isFull {
      return
        "\(host.retired.budget) ended generations stay mapped (LIMIT_RETIRED_COUNT), and the one that runs would be one more (\(tie)); restart the gateway"
    }
    return nil
  }

  private mutating func handOver(to new: PluginInstance) throws(PluginInstance.LifeError) {
    guard let old else { return }
    began = MonotonicClock.now
    let schema = try old.schema()
    let obstacle = PluginInstance.obstacle(from: schema, to: try new.schema())
    if let obstacle, !dropsState { throw .refused(step: "state", sentence: obstacle) }
    if old.movesJobs {
      hasEndedJobs = true
      let running = old.endJobs(by: MonotonicClock.now + Self.jobsLimit.nanoseconds)
      guard running.isEmpty else {
        let names = running.map { "'\($0)'" }.joined(separator: ", ")
        throw .refused(
          step: "jobs",
          sentence:
            "the jobs \(names) have not ended \(Self.jobsLimit.components.seconds) s after they were told to"
        )
      }
      note("jobs", "ended, to go on in the new generation")
    }
    guard schema != nil, obstacle == nil else { return }
    hold(old)
    guard let state = try old.snapshot() else { return }
    try new.restore(state)
    note("state", "\(state.schema) \(state.number), \(state.bytes.count) bytes")
  }

  /// Lets nothing change the state of `old` any more, as far as that can be had in a short time.
  private mutating func hold(_ old: PluginInstance) {
    isHolding = true
    routeHost?.hold(old.id)
    isResting = true
    old.park()
    let deadline = MonotonicClock.now + host.limits.hold.nanoseconds
    let rests = old.hasNoRounds(by: deadline)
    let isIdle = old.hasNoRequests(by: deadline)
    let left =
      (rests ? [] : ["repeated work"]) + (isIdle ? [] : ["\(old.requestsUnderWay) requests"])
    note("hold", left.isEmpty ? "" : "not waited for any longer: \(left.joined(separator: ", "))")
  }

  /// Gives the old generation back what was taken from it.
  private mutating func takeBack() {
    guard let old else { return }
    if isResting { old.begin() }
    release()
    if hasEndedJobs { old.resumeJobs() }
  }

  private mutating func failed(_ step: String, _ error: PluginFileError) -> PluginFileError {
    note(step, error.reason, hasFailed: true)
    return error
  }
}

extension PluginInstance.LifeError {
  /// Where it happened.
  var step: String {
    switch self {
    case .refused(let step, _), .hangs(let step): step
    }
  }
}
