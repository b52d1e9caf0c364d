import CGatewayPlugin
import Glibc
package import Synchronization
import Wire

/// One live generation of a plugin.
///
/// It is created, activated, quiesced and destroyed by its registry; between, it is found by its context.
// Sendable although it holds pointers: all but the state behind locks is constant after `init`, and `hostTable` and
// `directory` are freed at destroy, after the last call of the plugin.
@safe
package final class PluginInstance: @unchecked Sendable {
  /// `active` serves; `parked` is kept, without new requests and repeated work, to be gone back to.
  enum Phase: Sendable {
    case creating, created, activating, active, parked, quiescing, destroyed
  }

  /// What the plugin declared while it was created.
  @safe
  struct Declared {
    var phase = Phase.creating
    var plugin = unsafe Callback<Void>((), user: nil)
    var hasSelf = false
    var routes: [PluginRoute] = []
    var subscriptions: [Subscription] = []
    var periodic: [PeriodicWork] = []
    var checks: [DeclaredCheck] = []
    var metrics: [MetricFamily] = []
    var topics: [String: TopicDeclaration] = [:]
    var services: [String: ServiceDirectory.Service] = [:]
    /// Operations of service calls that the plugin waits for.
    var calls: Set<UInt64> = []
  }

  package let id: String
  package let version: String
  package let generation: UInt32
  /// What the plugin passes to every host function, and the `owner` of its answers.
  package let context: UInt64
  let library: any PluginCode
  /// What a crash in its code is named after, where nothing more is known.
  let site: CodeSite
  let host: HostResources
  let ceilings: PluginFile.Ceilings
  let directory: UnsafeBufferPointer<UInt8>
  let occupancy = Occupancy()
  let jobs: JobTable
  let hostTable: UnsafeMutablePointer<gw_host_v1>
  let declared = Mutex(Declared())
  /// Requests that this generation answered, and those of them that it failed.
  ///
  /// A failure is a status from 500 on that the plugin gave, a fault of its own, or its timeout.
  package let answers = Atomic<Int>(0)
  package let failures = Atomic<Int>(0)
  /// The step of its life that has not returned in time: a thread is still in its code.
  let stuckStep = Mutex<String?>(nil)
  private let errors = Mutex<[UInt: String]>([:])

  init(
    library: any PluginCode,
    generation: UInt32,
    context: UInt64,
    directory: String,
    ceilings: PluginFile.Ceilings,
    host: HostResources
  ) {
    id = library.id
    version = library.version
    site = CodeSite(plugin: library.id, generation: generation)
    self.generation = generation
    self.context = context
    self.library = library
    self.host = host
    self.ceilings = ceilings
    jobs = JobTable(limit: host.limits.jobsPerPlugin) { [weak library] isStopping in
      library?.jobsShouldStop(isStopping)
    }
    let path = UnsafeMutableBufferPointer<UInt8>.allocate(capacity: directory.utf8.count)
    _ = unsafe path.initialize(from: directory.utf8)
    unsafe self.directory = UnsafeBufferPointer(path)
    unsafe hostTable = .allocate(capacity: 1)
    unsafe hostTable.initialize(
      to: gw_host_v1(
        struct_size: UInt32(MemoryLayout<gw_host_v1>.size),
        abi_major: GW_ABI_MAJOR,
        abi_minor: GW_ABI_MINOR,
        generation: generation,
        context: gw_context(v: context),
        interface: InterfaceDirectory.find
      )
    )
  }

  /// The routes it declared.
  package var routes: [PluginRoute] { declared.withLock { $0.routes } }

  var phase: Phase { declared.withLock { $0.phase } }

  /// Requests of its routes under way.
  package var requestsUnderWay: Int {
    routes.reduce(0) { $0 + $1.inFlight.load(ordering: .acquiring) }
  }

  /// The sentence the plugin gave on this thread for the failure it has just returned; forgotten by reading it.
  package func takeError() -> String? {
    errors.withLock { $0.removeValue(forKey: UInt(pthread_self())) }
  }

  /// Keeps the sentence that explains the failure this thread is about to return.
  func setError(_ sentence: String) {
    errors.withLock { errors in
      // Sentences that nobody fetched belong to threads that have ended.
      if errors.count >= 1024 { errors = [:] }
      errors[UInt(pthread_self())] = sentence
    }
  }

  /// What a crash in one part of its code is named after.
  func site(_ label: String) -> CodeSite {
    CodeSite(plugin: id, generation: generation, label: label)
  }

  func log(_ level: LogLevel, _ message: String, _ fields: [(String, String)] = []) {
    host.log.write(level, message, [("plugin", id), ("generation", "\(generation)")] + fields)
  }

  /// Takes a name that only one plugin can have; says with the host's own `set_error` why not.
  ///
  /// - Parameters:
  ///   - name: What is declared.
  ///   - words: The same for people.
  /// - Returns: Whether it is this generation's now.
  func claim(_ name: DeclarationClaims.Name, _ words: String) -> Bool {
    guard let owner = host.claims.claim(name, owner: id, context: context) else { return true }
    setError(DeclarationClaims.refusal(of: words, to: id, by: owner))
    return false
  }

  /// Changes what is declared, while that is allowed: before activate.
  func declare(_ change: (inout Declared) -> gw_status) -> gw_status {
    declared.withLock { declared in
      guard declared.phase == .creating || declared.phase == .created else { return GW_E_STATE }
      return change(&declared)
    }
  }
}
