import CGatewayPlugin
import Synchronization
import Wire

/// A plugin in a process of its own: what it declared, what it owes, and the process that runs it now.
// Sendable although it holds a pointer: it is constant, and freed when nobody holds this any more.
@safe
final class IsolatedPlugin: @unchecked Sendable {
  struct State {
    /// The process that runs, or is being made to run, the plugin.
    var process: IsolatedProcess?
    /// Whether requests may go to it.
    var isServing = false
    /// Whether it has served once: what dies later is started again.
    var hasServed = false
    var isEnding = false
    var breaker = Breaker()
    var restarts = 0
    var lastExit = ""
    /// When it is started again, in nanoseconds of the monotonic clock.
    var nextStart: Int64 = 0
    var pid: Int32 = 0
    var layers: [String] = []
    /// What the plugin declared, in its order, with the host's answers.
    var declarations: [Declaration] = []
    /// What was sent of them, refused or not.
    var declaredBytes = 0
    /// How many of them the present process has repeated, and whether it strayed from them.
    var repeated = 0
    var hasStrayed = false
    /// Requests that the present process has.
    var calls: [UInt64: RemoteCall] = [:]
    /// What it owes the host, by number: whether the health check's report, and else a completion.
    var owed: [UInt64: Bool] = [:]
    /// How many it may owe before those are looked for that the host waits for no longer.
    var owedMark = 1024
    /// Jobs that run in it.
    var jobs: [UInt32: gw_job] = [:]
    var offers = Offers()
    /// The argument of the check that shows the process.
    var health: IsolatedProxy?
  }

  struct Declaration {
    let bytes: ArraySlice<UInt8>
    let proxy: IsolatedProxy
    var status: gw_status
    var value: UInt64
    var sentence: String
  }

  /// Interfaces of its own that the plugin has.
  struct Offers: Equatable {
    var schema: String?
    var writes: UInt32 = 0
    var readsFrom: UInt32 = 0
    var readsTo: UInt32 = 0
    var jobs = false
    var selfTest = false
  }

  let id: String
  let executable: String
  let state = Mutex(State())
  private let order: LoadOrder
  private let birth = Mutex<(context: gw_context, settings: [UInt8])>((gw_context(v: 0), []))
  private let stateTable: UnsafeMutablePointer<gw_plugin_state_v1>
  /// Made by the first create, which runs before anything could read it.
  private var schemaBytes: UnsafeMutableBufferPointer<UInt8>?

  init(_ description: IsolatedProcess.Description, order: LoadOrder, executable: String) {
    id = description.id
    self.order = order
    self.executable = executable
    unsafe stateTable = .allocate(capacity: 1)
    state.withLock { $0.layers = description.layers }
  }

  deinit {
    unsafe stateTable.deallocate()
    unsafe schemaBytes?.deallocate()
  }

  static func of(_ plugin: UnsafeMutableRawPointer?) -> IsolatedPlugin? {
    guard let plugin = unsafe plugin else { return nil }
    return unsafe Unmanaged<IsolatedPlugin>.fromOpaque(plugin).takeUnretainedValue()
  }

  /// Valid as long as the code that owns this.
  var pointer: UnsafeMutableRawPointer { unsafe Unmanaged.passUnretained(self).toOpaque() }

  var context: gw_context { birth.withLock { $0.context } }

  /// Calls `body` with the instance that the host knows, unless that has ended.
  func withInstance<Result>(_ gone: Result, _ body: (PluginInstance) -> Result) -> Result {
    ContextTable.with(context, gone: gone, body)
  }

  func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)] = []) {
    withInstance(()) { $0.log(level, message, fields) }
  }

  var facts: IsolationFacts {
    state.withLock { state in
      IsolationFacts(
        pid: state.process?.pid ?? 0,
        layers: state.layers,
        breaker: state.breaker.state.rawValue,
        restarts: state.restarts
      )
    }
  }

  // MARK: - Life

  func create(_ context: gw_context, settings: [UInt8]) -> gw_status {
    birth.withLock { $0 = (context, settings) }
    do throws(IsolatedProcess.Failure) {
      let process = try spawn()
      try createIn(process)
      return declareHealth()
    } catch {
      return fail("create", error)
    }
  }

  func activate() -> gw_status {
    do throws(IsolatedProcess.Failure) {
      guard let process = state.withLock({ $0.process }) else {
        throw .ended(state.withLock { $0.lastExit })
      }
      try activate(process)
      Heartbeat.begin(self)
      return GW_OK
    } catch {
      return fail("activate", error)
    }
  }

  /// Starts a process and waits until the library is loaded there.
  func spawn() throws(IsolatedProcess.Failure) -> IsolatedProcess {
    var order = order
    (order.generation, order.directory) = withInstance((0, "")) { instance in
      (instance.generation, unsafe String(decoding: instance.directory, as: UTF8.self))
    }
    let process: IsolatedProcess
    do throws(SystemError) {
      process = try IsolatedProcess(
        name: id,
        executable: executable,
        order: order,
        receive: { [self] frame, process throws(LinkFrame.Fault) in
          try receive(frame, from: process)
        },
        complaints: { [self] line in log(.warning, "its standard error", [("line", line)]) },
        ended: { [self] process, exit in ended(process, exit) }
      )
    } catch { throw .refused("its process cannot be started: \(error)") }
    let mayLive = state.withLock { state in
      guard !state.isEnding else { return false }
      state.process = process
      state.repeated = 0
      state.hasStrayed = false
      return true
    }
    guard mayLive else {
      process.kill()
      throw .refused("the plugin is being ended")
    }
    let deadline = MonotonicClock.now + IsolatedCode.loadLimit.nanoseconds
    let description = try process.description(by: deadline)
    state.withLock { $0.layers = description.layers }
    if !description.missing.isEmpty {
      log(
        .warning,
        "its process is not kept from everything: the kernel lacks a part",
        [("missing", description.missing.joined(separator: " "))]
      )
    }
    return process
  }

  func createIn(_ process: IsolatedProcess) throws(IsolatedProcess.Failure) {
    let settings = birth.withLock { $0.settings }
    let deadline = MonotonicClock.now + PluginInstance.stepLimits.setup.nanoseconds
    let outcome = try process.run(.create, by: deadline) { $0.add(settings) }
    guard outcome.status == GW_OK else { throw .refused(outcome.sentence) }
    let frame = LinkFrame(kind: .stepped, payload: outcome.bytes)
    let offers = try? frame.read { (reader) throws(LinkFrame.Fault) in
      var offers = Offers()
      if try reader.flag() { offers.schema = try reader.text() }
      offers.writes = try reader.number()
      offers.readsFrom = try reader.number()
      offers.readsTo = try reader.number()
      offers.jobs = try reader.flag()
      offers.selfTest = try reader.flag()
      return offers
    }
    guard let offers else {
      process.kill("it broke the protocol of the link: create")
      throw .ended("it broke the protocol of the link")
    }
    let isOther = state.withLock { state in
      if state.hasServed, state.offers != offers { return true }
      state.offers = offers
      return false
    }
    if isOther { throw .refused(Self.strayed) }
    keepStateTable(offers)
  }

  func activate(_ process: IsolatedProcess) throws(IsolatedProcess.Failure) {
    let deadline = MonotonicClock.now + PluginInstance.stepLimits.setup.nanoseconds
    let outcome = try process.run(.activate, by: deadline)
    guard outcome.status == GW_OK else { throw .refused(outcome.sentence) }
    let serves = state.withLock { state in
      guard state.process === process, !state.isEnding else { return false }
      state.isServing = true
      state.hasServed = true
      state.breaker.started(now: MonotonicClock.now)
      return true
    }
    guard serves else { throw .ended(process.exit ?? "the plugin is being ended") }
  }

  /// A step failed: the process has no use any more.
  private func fail(_ step: String, _ failure: IsolatedProcess.Failure) -> gw_status {
    let sentence = failure.sentence(step)
    withInstance(()) { instance in if !sentence.isEmpty { instance.setError(sentence) } }
    state.withLock { $0.process.take() }?.kill("it was ended: \(sentence)")
    return GW_E_INTERNAL
  }

  func quiesce(_ done: gw_operation) {
    let process = state.withLock { state in
      // A process that dies from here on, or is still being made, would only be told to stop.
      state.isEnding = true
      guard state.isServing, let process = state.process else { return IsolatedProcess?.none }
      state.owed[done.v] = false
      return process
    }
    guard let process else { return complete(done.v, isReport: false, GW_OK) }
    process.send(.step) { frame in
      frame.add(UInt32(0))
      frame.add(IsolatedProcess.Step.quiesce.rawValue)
      frame.add(done.v)
    }
  }

  /// Ends the process; nothing is started again.
  ///
  /// - Parameter inOrder: Lets it destroy the plugin first; else it is killed.
  func end(inOrder: Bool = true) {
    let process = state.withLock { state in
      state.isEnding = true
      return state.process
    }
    guard let process else { return }
    // Less than the host waits, so that it sees the process end.
    let limit = withInstance(1_000_000_000) { $0.endNanoseconds } / 2
    let deadline = MonotonicClock.now + limit
    if inOrder, process.exit == nil { _ = try? process.run(.destroy, by: deadline) }
    process.kill()
    _ = process.hasEnded(by: MonotonicClock.now + limit / 2)
  }

  /// Runs a step that gives nothing but a status.
  func run(
    _ step: IsolatedProcess.Step,
    limit: Duration,
    _ fill: (inout FrameBuilder) -> Void = { _ in },
    take: ([UInt8]) -> gw_status = { _ in GW_OK }
  ) -> gw_status {
    do throws(IsolatedProcess.Failure) {
      guard let process = state.withLock({ $0.process }) else { throw .ended("it is not running") }
      let outcome = try process.run(step, by: MonotonicClock.now + limit.nanoseconds, fill)
      withInstance(()) { instance in
        if !outcome.sentence.isEmpty { instance.setError(outcome.sentence) }
      }
      return outcome.status == GW_OK ? take(outcome.bytes) : outcome.status
    } catch {
      if case .hangs = error { state.withLock { $0.process }?.kill("\(step) has not returned") }
      withInstance(()) { $0.setError(error.sentence("\(step)")) }
      return GW_E_INTERNAL
    }
  }

  // MARK: - Interfaces

  func interface(_ id: String) -> UnsafeRawPointer? {
    // What a process had in memory has ended with it: without it there is no state that a new build would have to wait for.
    let (offers, isLost) = state.withLock { ($0.offers, $0.hasServed && !$0.isServing) }
    switch id {
    case GW_PLUGIN_STATE_1 where offers.schema != nil && !isLost:
      return unsafe UnsafeRawPointer(stateTable)
    case GW_PLUGIN_JOBS_1 where offers.jobs: return unsafe UnsafeRawPointer(Self.jobsTable)
    case GW_PLUGIN_SELFTEST_1 where offers.selfTest:
      return unsafe UnsafeRawPointer(Self.selfTestTable)
    default: return nil
    }
  }

  /// Fills the table that says which states the plugin reads and writes; once, a restart offers the same.
  private func keepStateTable(_ offers: Offers) {
    guard let schema = offers.schema, unsafe schemaBytes == nil else { return }
    let bytes = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: schema.utf8.count)
    _ = unsafe bytes.initialize(from: schema.utf8)
    unsafe schemaBytes = unsafe bytes
    unsafe stateTable.initialize(
      to: gw_plugin_state_v1(
        schema: gw_bytes(start: bytes.baseAddress, count: bytes.count),
        writes: offers.writes,
        reads_from: offers.readsFrom,
        reads_to: offers.readsTo,
        snapshot: { plugin, sink, write in
          unsafe IsolatedPlugin.of(plugin)?.run(
            .snapshot,
            limit: PluginInstance.stepLimits.state,
            take: { bytes in unsafe withLent(bytes) { unsafe write(sink, $0) } }
          ) ?? GW_E_GONE
        },
        restore: { plugin, schema, state in
          unsafe IsolatedPlugin.of(plugin)?.run(
            .restore,
            limit: PluginInstance.stepLimits.state,
            { frame in
              frame.add(schema)
              unsafe frame.add(state)
            }
          ) ?? GW_E_GONE
        }
      )
    )
  }

  // Unchecked: constant after they are made.
  private nonisolated(unsafe) static let jobsTable = unsafe InterfaceDirectory.keep(
    IsolatedTable.jobs
  )
  private nonisolated(unsafe) static let selfTestTable = unsafe InterfaceDirectory.keep(
    IsolatedTable.selfTest
  )
}
