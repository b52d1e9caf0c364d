import CGatewayPlugin
import Glibc
import Synchronization

/// The plugin in its own process, as that process sees it.
// Sendable: `calls` is touched by the loop's thread alone.
final class Guest: @unchecked Sendable {
  let library: PluginLibrary
  let instance: PluginInstance
  let desk: GuestDesk
  let link: ProcessLink
  var host: HostResources { instance.host }
  /// Runs the steps of the plugin's life.
  private let setup: WorkerPool
  var calls: [UInt64: GuestCall] = [:]
  let events: GuestEvents

  init(
    _ library: PluginLibrary,
    order: LoadOrder,
    link: ProcessLink,
    _ resources: HostResources,
    _ desk: GuestDesk
  ) throws {
    self.library = library
    self.link = link
    self.desk = desk
    events = GuestEvents(pool: resources.pool)
    setup = try WorkerPool(threads: 1, queue: 64, name: "setup")
    guard let context = ContextTable.reserve() else {
      throw SystemError(call: "load", code: EAGAIN)
    }
    instance = PluginInstance(
      library: library,
      generation: order.generation,
      context: context,
      directory: order.directory,
      ceilings: PluginFile.Ceilings(),
      host: resources
    )
    ContextTable.bind(context, to: instance)
    unsafe instance.hostTable.pointee.interface = GuestTables.find
    desk.attach(self)
  }

  /// Does what the gateway asks until it hangs up; on the main thread.
  func serve() -> Never {
    while let mail = desk.inbox.mail() {
      if mail.isPinged { desk.answerPing() }
      for frame in mail.frames {
        do { try take(frame) } catch { Self.leave() }
      }
    }
    Self.leave()
  }

  /// Ends the process: the gateway is gone, and nobody is left for whom anything should be put in order.
  static func leave() -> Never { _exit(0) }

  private func take(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    switch frame.kind {
    case .request: try begin(frame)
    case .body, .cancel, .taken, .end: try go(on: frame)
    case .step: try step(frame)
    case .event, .serve, .called, .check, .round: try owe(frame)
    case .jobs:
      let isStopping = try frame.read { (reader) throws(LinkFrame.Fault) in
        try reader.flag()
      }
      if isStopping { instance.jobs.stopAll() } else { instance.jobs.resume() }
    default: throw .wrongDirection(frame.kind)
    }
  }

  // MARK: - Life

  private func step(_ frame: LinkFrame) throws(LinkFrame.Fault) {
    let (number, step, rest) = try frame.read { (reader) throws(LinkFrame.Fault) in
      let number = try reader.number(UInt32.self)
      guard let step = try IsolatedProcess.Step(rawValue: reader.number()) else {
        throw .badValue
      }
      var operation: UInt64 = 0
      var schema: UInt32 = 0
      var bytes: [UInt8] = []
      switch step {
      case .quiesce: operation = try reader.number()
      case .create: bytes = try reader.array()
      case .restore:
        schema = try reader.number()
        bytes = try reader.array()
      default: break
      }
      return (number, step, (operation, schema, bytes))
    }
    setup.submitOwed { [self] in
      if step == .quiesce { return quiesce(rest.0) }
      var bytes: [UInt8] = []
      let status =
        switch step {
        case .create: create(rest.2, &bytes)
        case .activate: activate()
        case .snapshot: snapshot(&bytes)
        case .restore: restore(rest.1, rest.2)
        case .selfTest: selfTest()
        case .resume: resume()
        case .quiesce, .destroy: destroy()
        }
      desk.flushRecords()
      let sentence = instance.takeError() ?? ""
      link.send(.stepped, room: bytes.count + 256) { frame in
        frame.add(number)
        frame.add(status)
        frame.add(status == GW_OK ? "" : Self.explain(sentence, "\(step)", status))
        frame.add(bytes)
      }
    }
  }

  private static func explain(_ sentence: String, _ step: String, _ status: gw_status) -> String {
    guard sentence.isEmpty else { return sentence }
    return "\(step) returned \(Status.name(status)) and gave no reason (core->set_error)"
  }

  private var plugin: Callback<Void> { instance.declared.withLock { $0.plugin } }

  private func create(_ settings: [UInt8], _ offers: inout [UInt8]) -> gw_status {
    var made: UnsafeMutableRawPointer?
    let status = unsafe withLent(settings) { settings in
      unsafe library.descriptor.pointee.create(instance.hostTable, settings, &made)
    }
    let plugin = unsafe Callback<Void>((), user: made)
    let routes = desk.state.withLock { $0.declared.values.compactMap(\.route) }
    instance.declared.withLock { declared in
      declared.routes = routes
      declared.plugin = plugin
      declared.hasSelf = unsafe status == GW_OK || plugin.user != nil
      declared.phase = .created
    }
    guard status == GW_OK else { return status }
    var frame = FrameBuilder(.stepped)
    let state = unsafe table(GW_PLUGIN_STATE_1, as: gw_plugin_state_v1.self)
    frame.add(unsafe state != nil)
    if let state = unsafe state { unsafe frame.add(state.pointee.schema) }
    unsafe frame.add(state?.pointee.writes ?? 0)
    unsafe frame.add(state?.pointee.reads_from ?? 0)
    unsafe frame.add(state?.pointee.reads_to ?? 0)
    frame.add(unsafe table(GW_PLUGIN_JOBS_1, as: gw_plugin_jobs_v1.self) != nil)
    frame.add(unsafe table(GW_PLUGIN_SELFTEST_1, as: gw_plugin_selftest_v1.self) != nil)
    offers = Array(frame.finished.dropFirst(LinkFrame.headerBytes))
    return status
  }

  private func activate() -> gw_status {
    instance.declared.withLock { $0.phase = .activating }
    let status = unsafe library.descriptor.pointee.activate(plugin.user)
    instance.declared.withLock { $0.phase = .active }
    return status
  }

  private func quiesce(_ done: UInt64) {
    instance.declared.withLock { $0.phase = .quiescing }
    instance.jobs.stopAll()
    let operation = host.operations.open(owner: instance.context, kind: .completion) {
      [self]
      status,
      result in
      desk.flushRecords()
      desk.complete(.complete, done, status, result)
    }
    guard let operation else { return desk.complete(.complete, done, GW_E_LIMIT, []) }
    unsafe library.descriptor.pointee.quiesce(plugin.user, operation)
  }

  private func snapshot(_ bytes: inout [UInt8]) -> gw_status {
    guard let state = unsafe table(GW_PLUGIN_STATE_1, as: gw_plugin_state_v1.self) else {
      return GW_E_UNSUPPORTED
    }
    awaitRounds()
    let gathered = GuestSink()
    let result = unsafe state.pointee.snapshot(
      plugin.user,
      Unmanaged.passUnretained(gathered).toOpaque()
    ) { sink, part in
      guard let sink = unsafe sink, unsafe !part.isMalformed else { return GW_E_ARGUMENT }
      return unsafe Unmanaged<GuestSink>.fromOpaque(sink).takeUnretainedValue().append(part)
    }
    bytes = gathered.bytes.withLock { $0 }
    return result
  }

  /// Waits for the rounds of repeated work that the gateway asked for before this step.
  ///
  /// They may not have begun, and would change a state that is handed over already. The gateway cannot wait for them: to
  /// ask for one is all it does.
  private func awaitRounds() {
    let deadline = MonotonicClock.now + 2_000_000_000
    func isBusy() -> Bool {
      desk.state.withLock { state in
        state.declared.values.contains { $0.isBusy.value.load(ordering: .acquiring) }
      }
    }
    while isBusy(), MonotonicClock.now < deadline {
      let pause = MonotonicClock.now + 1_000_000
      let _: Bool? = Monitor(()).wait(until: pause) { _ in nil }
    }
  }

  private func restore(_ schema: UInt32, _ bytes: [UInt8]) -> gw_status {
    guard let state = unsafe table(GW_PLUGIN_STATE_1, as: gw_plugin_state_v1.self) else {
      return GW_E_UNSUPPORTED
    }
    let plugin = plugin
    return unsafe withLent(bytes) { unsafe state.pointee.restore(plugin.user, schema, $0) }
  }

  private func selfTest() -> gw_status {
    let tests = unsafe table(GW_PLUGIN_SELFTEST_1, as: gw_plugin_selftest_v1.self)
    return unsafe tests?.pointee.run(plugin.user) ?? GW_E_UNSUPPORTED
  }

  private func resume() -> gw_status {
    let jobs = unsafe table(GW_PLUGIN_JOBS_1, as: gw_plugin_jobs_v1.self)
    unsafe jobs?.pointee.resume(plugin.user)
    return GW_OK
  }

  /// Destroys the plugin, unless something of it still runs: the end of the process frees that too.
  private func destroy() -> gw_status {
    instance.jobs.stopAll()
    let deadline = MonotonicClock.now + 2_000_000_000
    // The gateway counts a request out when it says so; here its `end` may still run.
    guard instance.declared.withLock({ $0.hasSelf }), instance.hasNoRequests(by: deadline),
      instance.occupancy.close(by: deadline).isEmpty
    else { return GW_OK }
    unsafe library.descriptor.pointee.destroy(plugin.user)
    return GW_OK
  }

  private func table<Table>(_ id: String, as: Table.Type) -> UnsafePointer<Table>? {
    unsafe library.descriptor.pointee.interface(plugin.user, id)?
      .assumingMemoryBound(to: Table.self)
  }
}

/// Gathers the bytes of a snapshot.
private final class GuestSink: Sendable {
  let bytes = Mutex<[UInt8]>([])

  func append(_ part: gw_bytes) -> gw_status {
    let copy = unsafe part.copied
    return bytes.withLock { bytes in
      guard bytes.count + copy.count < LinkFrame.maxAnswerBytes - 1024 else { return GW_E_LIMIT }
      bytes += copy
      return GW_OK
    }
  }
}
