import CGatewayPlugin
import Glibc
import Synchronization

/// A host for one instance that does what a script says, and writes down what it is asked.
///
/// It looks at every argument as closely as the contract allows, which the gateway does only where it must.
// Sendable although it holds pointers: all but the state behind the lock is constant, and the memory is freed with it.
@safe
final class ScriptedHost: @unchecked Sendable {
  /// One call of a host function: its name, and which one it is, from 1.
  struct Call: Sendable, Hashable {
    let name: String
    let number: Int
  }

  struct Script: Sendable {
    /// Interfaces this host does not have.
    var withheld: Set<String> = []
    /// The call that is refused, and how.
    var refused: (call: Call, status: gw_status)?
    /// Whether each step is told to the parent; not in tests of many rounds.
    var isTold = true
    /// What stands behind the names of steps.
    var circumstances = ""
  }

  enum Phase: Sendable { case creating, created, activating, active, quiescing, ended }

  struct State {
    var phase = Phase.creating
    var calls: [Call] = []
    var sentences: [UInt: String] = [:]
    var breaches: [String] = []
    var routes: [ScriptedRoute] = []
    var requests: [UInt64: ScriptedRequest] = [:]
    var topics: Set<String> = []
    /// Topics, and what takes a topic and a payload.
    var subscriptions: [(topic: String, event: @Sendable (String, [UInt8]) -> Void)] = []
    /// Names, and what takes a method and an argument.
    var services: [(name: String, serve: @Sendable ([UInt8], [UInt8], gw_operation) -> Void)] = []
    /// Names, milliseconds for an answer, and the checks.
    var checks: [(name: String, timeout: UInt64, run: @Sendable (gw_operation) -> Void)] = []
    var periodic: [(name: String, work: @Sendable (gw_job) -> Void)] = []
    var metrics: [MetricFamily] = []
    var running = 0
  }

  let script: Script
  let plugin: String
  let context: UInt64
  let table: UnsafeMutablePointer<gw_host_v1>
  let directory: UnsafeBufferPointer<UInt8>
  let jobs = JobTable(limit: Limits().jobsPerPlugin)
  let registry = MetricsRegistry()
  let state = Monitor(State())
  private let operations = OperationTable()

  /// Threads that stand for the host's pool.
  static let workers = try? WorkerPool(threads: 4, queue: 1024)
  static let compute = ComputePool(cores: 2)

  private static let live = Mutex<[UInt64: ScriptedHost]>([:])
  private static let strays = Mutex<[String]>([])
  private static let next = Atomic<UInt64>(1)

  /// - Parameters:
  ///   - script: What it does.
  ///   - directory: The plugin's data directory.
  ///   - plugin: The plugin's id.
  init(_ script: Script, directory: String, plugin: String) {
    self.script = script
    self.plugin = plugin
    context = Self.next.wrappingAdd(1, ordering: .relaxed).oldValue << 32 | 7
    let path = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: directory.utf8.count)
    _ = unsafe path.initialize(from: directory.utf8)
    unsafe self.directory = UnsafeBufferPointer(path)
    unsafe table = .allocate(capacity: 1)
    unsafe table.initialize(
      to: gw_host_v1(
        struct_size: UInt32(MemoryLayout<gw_host_v1>.size),
        abi_major: GW_ABI_MAJOR,
        abi_minor: GW_ABI_MINOR,
        generation: 1,
        context: gw_context(v: context),
        interface: ScriptedTables.find
      )
    )
    Self.live.withLock { $0[context] = self }
  }

  deinit {
    unsafe table.deallocate()
    unsafe directory.deallocate()
  }

  var isTold: Bool { script.isTold }
  var circumstances: String { script.circumstances }
  var breaches: [String] { state.withLock { $0.breaches } }
  var routes: [ScriptedRoute] { state.withLock { $0.routes } }

  /// Calls `body` with the host of `context`; when there is none, notes that and gives `gone`.
  static func with<Result>(
    _ context: gw_context,
    _ call: String,
    gone: Result,
    _ body: (ScriptedHost) -> Result
  ) -> Result {
    if let host = live.withLock({ $0[context.v] }) { return body(host) }
    strays.withLock { strays in
      guard strays.count < 64 else { return }
      strays.append(
        "\(call) was called after destroy, or with a context that never was; keep host->context."
      )
    }
    return gone
  }

  /// Calls that came when none may, each once.
  static func takeStrays() -> [String] {
    strays.withLock { strays in
      defer { strays = [] }
      return strays
    }
  }

  func enter(_ phase: Phase) { state.withLock { $0.phase = phase } }

  /// Ends the context; what the plugin holds of it is stale from here on.
  func end() {
    enter(.ended)
    operations.revokeAll(owner: context, status: GW_E_GONE)
    _ = Self.live.withLock { $0.removeValue(forKey: context) }
    // Requests point back at their host.
    state.withLock { $0.requests = [:] }
  }

  /// Counts a call that can fail; the status to give when the script refuses it.
  func refusal(of name: String) -> gw_status? {
    let call = state.withLock { state in
      let call = Call(name: name, number: state.calls.count { $0.name == name } + 1)
      // Only create and activate are scripted; a plugin may go on calling for ever.
      if state.phase != .active, state.calls.count < 4096 { state.calls.append(call) }
      return call
    }
    guard let refused = script.refused, refused.call == call else { return nil }
    setSentence("the validator refused \(name)")
    return refused.status
  }

  /// Notes that the plugin broke the contract.
  func breach(_ sentence: String) {
    state.withLock { state in
      if state.breaches.count < 64 { state.breaches.append(sentence) }
    }
  }

  func setSentence(_ sentence: String) {
    state.withLock { $0.sentences[UInt(pthread_self())] = sentence }
  }

  func takeSentence() -> String? {
    state.withLock { $0.sentences.removeValue(forKey: UInt(pthread_self())) }
  }

  // MARK: - Operations and jobs

  func open(
    _ kind: OperationTable.Kind,
    _ completion: @escaping OperationTable.Completion
  ) -> gw_operation {
    operations.open(owner: context, kind: kind, completion) ?? gw_operation(v: 0)
  }

  func complete(
    _ operation: gw_operation,
    _ kind: OperationTable.Kind,
    _ status: Int32,
    _ result: gw_bytes
  ) -> gw_status {
    unsafe operations.complete(
      operation,
      owner: context,
      kind: kind,
      status: status,
      result: result
    )
  }

  /// Runs `work` as a job; `false` when there are too many.
  func run(
    _ name: String,
    _ work: @escaping @Sendable (gw_job) -> Void,
    onThread: Bool,
    out: UnsafeMutablePointer<gw_job>?
  ) -> Bool {
    guard let job = jobs.begin(name, hasThread: onThread) else { return false }
    if let out = unsafe out { unsafe out.pointee = job }
    state.withLock { $0.running += 1 }
    let body: @Sendable () -> Void = { [self] in
      work(job)
      jobs.end(job)
      state.withLock { $0.running -= 1 }
      state.wakeAll()
    }
    if onThread, let thread = try? HostThread(name: name, body) {
      thread.detach()
    } else {
      Self.workers?.submitOwed(body)
    }
    return true
  }

  func stopJobs() { jobs.stopAll() }
  var runningJobs: [String] { jobs.running }

  func waitForJobs(until deadline: Int64) -> Bool {
    state.wait(until: deadline) { $0.running == 0 ? true : nil } == true
  }
}
