import CGatewayPlugin
import Glibc

/// One instance of the plugin at a scripted host, with the steps of its life.
// Sendable although it holds pointers: the steps are called one after another, each waited for.
@safe
final class HostedInstance: @unchecked Sendable {
  let host: ScriptedHost
  let library: PluginLibrary
  private let journal: Journal
  private(set) var plugin: UnsafeMutableRawPointer?
  private var hasSelf = false

  /// How long each step may take.
  private let stepTime: Duration

  init(library: PluginLibrary, host: ScriptedHost, journal: Journal, stepTime: Duration) {
    self.library = library
    self.host = host
    self.journal = journal
    self.stepTime = stepTime
  }

  /// What a step that may fail gave.
  struct Refusal: Sendable {
    let status: gw_status
    let sentence: String?
  }

  /// Creates it; a failure fails the test.
  func create(_ settings: [UInt8]) throws(ValidatorTest.Stop) {
    if let refusal = try tryToCreate(settings) {
      throw .failed("\(Self.words("create", refusal)) Are there \(Self.settingsHint)?")
    }
  }

  private static let settingsHint = "settings it needs (--settings)"

  /// Creates it, or says why that failed; what a failure left is destroyed.
  func tryToCreate(_ settings: [UInt8]) throws(ValidatorTest.Stop) -> Refusal? {
    let outcome = try step("create") { [self] in
      var made: UnsafeMutableRawPointer?
      let status = unsafe withLent(settings) { settings in
        unsafe library.descriptor.pointee.create(host.table, settings, &made)
      }
      unsafe plugin = unsafe made
      hasSelf = unsafe status == GW_OK || made != nil
      return Refusal(status: status, sentence: host.takeSentence())
    }
    guard outcome.status != GW_OK else {
      host.enter(.created)
      return nil
    }
    if hasSelf { try destroy() } else { host.end() }
    return outcome
  }

  /// Activates it; a failure fails the test.
  func activate() throws(ValidatorTest.Stop) {
    if let refusal = try tryToActivate() { throw .failed(Self.words("activate", refusal)) }
  }

  /// Activates it, or says why that failed; then it is destroyed.
  func tryToActivate() throws(ValidatorTest.Stop) -> Refusal? {
    host.enter(.activating)
    let outcome = try step("activate") { [self] in
      let status = unsafe library.descriptor.pointee.activate(plugin)
      return Refusal(status: status, sentence: host.takeSentence())
    }
    guard outcome.status != GW_OK else {
      host.enter(.active)
      return nil
    }
    host.stopJobs()
    try destroy()
    return outcome
  }

  /// Asks it to end its activity, and waits for its answer and its jobs.
  func quiesce() throws(ValidatorTest.Stop) {
    host.enter(.quiescing)
    host.stopJobs()
    let answer = Monitor(false)
    let done = host.open(.completion) { _, _ in
      answer.withLock { $0 = true }
      answer.wakeAll()
    }
    _ = try step("quiesce") { [self] in
      unsafe library.descriptor.pointee.quiesce(plugin, done)
      return true
    }
    let deadline = MonotonicClock.now + stepTime.nanoseconds
    guard answer.wait(until: deadline, { $0 ? true : nil }) == true else {
      throw .failed(
        """
        quiesce was not answered within \(stepTime)\(host.circumstances); call core->complete(done, GW_OK, …).
        """
      )
    }
    guard host.waitForJobs(until: deadline) else {
      throw .failed(
        """
        Its jobs still run \(stepTime) after quiesce (\(host.runningJobs.joined(separator: ", "))); end them \
        when should_stop is 1.
        """
      )
    }
  }

  /// Destroys it; later calls with its context are strays.
  func destroy() throws(ValidatorTest.Stop) {
    _ = try step("destroy") { [self] in
      unsafe library.descriptor.pointee.destroy(plugin)
      return true
    }
    host.end()
  }

  /// Quiesces and destroys it.
  func finish() throws(ValidatorTest.Stop) {
    try quiesce()
    try destroy()
    try ValidatorTest.Stop.unless(host.breaches)
  }

  /// The plugin's own table behind `id`, or `nil`.
  func interface<Table>(_ id: String, as type: Table.Type) -> UnsafePointer<Table>? {
    let found = unsafe id.withCString { id in
      unsafe library.descriptor.pointee.interface(plugin, id)
    }
    return unsafe found?.assumingMemoryBound(to: Table.self)
  }

  /// Runs one call of the plugin on a thread of its own, as the host does.
  func step<Result: Sendable>(
    _ name: String,
    _ body: @escaping @Sendable () -> Result
  ) throws(ValidatorTest.Stop) -> Result {
    if host.isTold { journal.step("calling \(name)\(host.circumstances)") }
    let deadline = MonotonicClock.now + stepTime.nanoseconds
    guard let result = SetupThread.run(name, by: deadline, body) else {
      throw .failed(
        "\(name) has not returned within \(stepTime)\(host.circumstances); it must end by itself."
      )
    }
    return result
  }

  /// A failed step in one sentence.
  static func words(_ step: String, _ refusal: Refusal) -> String {
    let reason =
      refusal.sentence ?? "\(Status.name(refusal.status)), without a reason (core->set_error)"
    return "\(step) failed: \(reason)\(reason.last == "." ? "" : ".")"
  }
}
