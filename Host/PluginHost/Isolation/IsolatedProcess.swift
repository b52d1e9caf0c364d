import CGatewayPlugin
import CLinux
import Glibc
import Synchronization

/// One process that runs a plugin's code, as the gateway sees it.
///
/// A thread of its own starts it, reads what it says, and sees its end.
final class IsolatedProcess: Sendable {
  /// What a step of the plugin's life gave.
  struct Outcome: Sendable {
    var status: gw_status
    var sentence: String
    var bytes: [UInt8]
  }

  /// A step of the plugin's life; the numbers go over the link.
  enum Step: UInt8, Sendable {
    case create = 1
    case activate, quiesce, snapshot, restore, selfTest, resume, destroy
  }

  /// What the process says of itself once its library is loaded.
  struct Description: Sendable, Equatable {
    var id = ""
    var version = ""
    var summary = ""
    /// Of the contract that it was built for.
    var abiMinor: UInt32 = 0
    /// What the kernel keeps it from, and what it could not be kept from.
    var layers: [String] = []
    var missing: [String] = []
  }

  enum Failure: Error {
    /// The sentence of the plugin's process.
    case refused(String)
    /// In words: how it ended.
    case ended(String)
    case hangs
  }

  /// Characters of a sentence that are kept.
  private static let sentenceLength = 2048

  /// Who hears what the process says and how it ends; on the process's thread.
  typealias Receiver = @Sendable (LinkFrame, IsolatedProcess) throws(LinkFrame.Fault) -> Void
  typealias Ending = @Sendable (IsolatedProcess, _ exit: String) -> Void
  /// Hears what is written to its standard error, by line; on a thread of its own.
  typealias Complaints = @Sendable (_ line: String) -> Void

  private struct State {
    var pid: CInt = 0
    var link: ProcessLink?
    var description: Result<Description, LoadRefusal>?
    /// The steps that somebody waits for, each with what it gave.
    var steps: [UInt32: Outcome?] = [:]
    var lastStep: UInt32 = 0
    /// How it ended, in words.
    var exit: String?
    /// Why the gateway ended it.
    var reason: String?
    /// Whether it is to be ended as soon as it has begun.
    var isCondemned = false
    /// Pings since its loop last answered one.
    var unanswered: Int64 = 0
  }

  private struct LoadRefusal: Error { let sentence: String }

  private let state = Monitor(State())

  /// Starts the process; its code is being loaded when this returns.
  ///
  /// - Parameters:
  ///   - name: Of its thread.
  ///   - executable: The gateway's own binary.
  ///   - order: What to load.
  ///   - receive: Hears what the process says.
  ///   - complaints: Hears what it writes to its standard error.
  ///   - ended: Hears of its end, once.
  /// - Throws: `SystemError` when no thread can be made.
  init(
    name: String,
    executable: String,
    order: LoadOrder,
    receive: @escaping Receiver,
    complaints: @escaping Complaints,
    ended: @escaping Ending
  ) throws(SystemError) {
    try HostThread(name: "\(name) process") { [self] in
      run(executable: executable, order: order, receive: receive, complaints: complaints)
      let exit = state.withLock { $0.exit } ?? "not started"
      ended(self, exit)
    }.detach()
  }

  /// The process's number; 0 before it is started and after it has ended.
  var pid: CInt { state.withLock { $0.exit == nil ? $0.pid : 0 } }

  /// How it ended, in words; `nil` while it runs.
  var exit: String? { state.withLock { $0.exit } }

  /// Sends a frame; dropped when the process has ended.
  func send(_ kind: LinkFrame.Kind, room: Int = 64, _ fill: (inout FrameBuilder) -> Void) {
    state.withLock { $0.link }?.send(kind, room: room, fill)
  }

  /// Asks its loop for a sign of life.
  ///
  /// - Returns: How many times in a row it had been asked before, and has not answered.
  func ping() -> Int64 {
    let before = state.withLock { state in
      defer { state.unanswered += 1 }
      return state.unanswered
    }
    send(.ping) { _ in }
    return before
  }

  /// Waits until the library is loaded.
  func description(by deadline: Int64) throws(Failure) -> Description {
    let result: Result<Description, LoadRefusal>?? = state.wait(until: deadline) { state in
      state.description.map { .some($0) } ?? (state.exit == nil ? nil : .some(nil))
    }
    guard let result else { throw .hangs }
    switch result {
    case .success(let description): return description
    case .failure(let refusal): throw .refused(refusal.sentence)
    case nil: throw .ended(exit ?? "")
    }
  }

  /// Has the process run one step and waits for it.
  ///
  /// - Parameters:
  ///   - step: Which.
  ///   - deadline: In nanoseconds of the monotonic clock.
  ///   - fill: Adds what the step needs.
  /// - Returns: What the step gave.
  /// - Throws: `ended` or `hangs`; never `refused`.
  func run(
    _ step: Step,
    by deadline: Int64,
    _ fill: (inout FrameBuilder) -> Void = { _ in }
  ) throws(Failure) -> Outcome {
    let number = state.withLock { state in
      state.lastStep += 1
      state.steps[state.lastStep] = .some(nil)
      return state.lastStep
    }
    defer { _ = state.withLock { $0.steps.removeValue(forKey: number) } }
    send(.step) { frame in
      frame.add(number)
      frame.add(step.rawValue)
      fill(&frame)
    }
    let outcome: Outcome?? = state.wait(until: deadline) { state in
      if let outcome = state.steps[number] ?? nil { return .some(outcome) }
      return state.exit == nil ? nil : .some(nil)
    }
    guard let outcome else { throw .hangs }
    guard let outcome else { throw .ended(exit ?? "") }
    return outcome
  }

  /// Ends the process at once, with all it has started.
  ///
  /// - Parameter reason: Stands in place of the signal in what is told of its end; `nil` when it was meant to end.
  func kill(_ reason: String? = nil) {
    let link = state.withLock { state in
      if state.reason == nil { state.reason = reason }
      state.isCondemned = true
      // Reaped after `exit` is set, under the lock too, so that the number is still its own.
      if state.exit == nil, state.pid > 0 { Self.strike(state.pid) }
      return state.link
    }
    // What it has started may have the other end too, and must not keep this one waiting.
    link?.close()
  }

  /// Kills a process that is not reaped, and its group: it may have left that.
  private static func strike(_ child: CInt) {
    _ = Glibc.kill(-child, SIGKILL)
    _ = Glibc.kill(child, SIGKILL)
  }

  /// Waits for its end.
  func hasEnded(by deadline: Int64) -> Bool {
    let ended: Bool? = state.wait(until: deadline) { $0.exit == nil ? nil : true }
    return ended == true
  }

  // MARK: - On its thread

  private func run(
    executable: String,
    order: LoadOrder,
    receive: Receiver,
    complaints: @escaping Complaints
  ) {
    let link: ProcessLink
    let child: CInt
    do throws(SystemError) {
      (link, child) = try Self.start(executable, order, complaints)
    } catch {
      return end("it could not be started: \(error)")
    }
    let isCondemned = state.withLock { state in
      state.pid = child
      state.link = link
      return state.isCondemned
    }
    if isCondemned {
      Self.strike(child)
      link.close()
    }
    link.send(order.frame)
    while let frame = link.next() {
      do throws(LinkFrame.Fault) {
        try take(frame, receive)
      } catch {
        kill("it broke the protocol of the link: \(frame.kind) \(error)")
        break
      }
    }
    if let fault = link.fault { kill("it broke the protocol of the link: \(fault)") }
    link.close()
    // Whoever closes the link ends; what it has started ends with it.
    reap(child)
  }

  private func reap(_ child: CInt) {
    let grace = MonotonicClock.now + 500_000_000
    var status = linux_child_ended(child)
    while status == -1000 {
      if MonotonicClock.now > grace { Self.strike(child) }
      let _: Bool? = Monitor(()).wait(until: MonotonicClock.now + 2_000_000) { _ in nil }
      status = linux_child_ended(child)
    }
    // Its number is not given to another before it is reaped.
    Self.strike(child)
    end(ChildProcess.endWords(status))
    _ = linux_child_end(child)
  }

  private func end(_ exit: String) {
    state.withLock { state in
      state.exit = state.reason ?? exit
      state.link = nil
    }
    state.wakeAll()
  }

  private func take(_ frame: LinkFrame, _ receive: Receiver) throws(LinkFrame.Fault) {
    switch frame.kind {
    case .loaded:
      let result = try Self.readDescription(frame)
      state.withLock { $0.description = result }
      state.wakeAll()
    case .stepped:
      let (number, outcome) = try frame.read { (reader) throws(LinkFrame.Fault) in
        let number = try reader.number(UInt32.self)
        return try (
          number,
          Outcome(
            status: reader.number(),
            sentence: String(reader.text().prefix(Self.sentenceLength)),
            bytes: reader.array()
          )
        )
      }
      state.withLock { state in
        // What nobody waits for is not kept.
        if state.steps[number] != nil { state.steps[number] = outcome }
      }
      state.wakeAll()
    case .pong:
      state.withLock { $0.unanswered = 0 }
    default: try receive(frame, self)
    }
  }

  private static func readDescription(
    _ frame: LinkFrame
  ) throws(LinkFrame.Fault) -> Result<Description, LoadRefusal> {
    try frame.read { (reader) throws(LinkFrame.Fault) in
      let refusal = try String(reader.text().prefix(sentenceLength))
      var description = Description()
      description.id = try reader.text()
      description.version = try reader.text()
      description.summary = try reader.text()
      description.abiMinor = try reader.number()
      description.layers = try reader.text().split(separator: " ").map(String.init)
      description.missing = try reader.text().split(separator: " ").map(String.init)
      guard refusal.isEmpty else { return .failure(LoadRefusal(sentence: refusal)) }
      // The summary was cut in that process; what cannot be read in it may have grown.
      guard Names.isPluginID(description.id), Names.isVersion(description.version),
        description.summary.utf8.count <= 4 * 512
      else {
        throw .badValue
      }
      return .success(description)
    }
  }

  private static func start(
    _ executable: String,
    _ order: LoadOrder,
    _ complaints: @escaping Complaints
  ) throws(SystemError) -> (ProcessLink, CInt) {
    var ends: [CInt] = [0, 0]
    let paired = unsafe linux_socket_pair(&ends)
    guard paired == 0 else { throw SystemError(call: "socketpair", code: -paired) }
    let theirs = Descriptor(adopting: ends[1])
    let link = try ProcessLink(Descriptor(adopting: ends[0]), isGateway: true)
    let errors = try ErrorOutput.begin(complaints)
    let arguments = CStrings([executable, GuestProcess.verb])
    let variables = CStrings(environment(order))
    let child = unsafe linux_spawn(
      executable,
      arguments.pointer,
      variables.pointer,
      theirs.raw,
      errors.raw
    )
    guard child > 0 else { throw SystemError(call: "posix_spawn", code: -child) }
    return (link, child)
  }

  /// What the process is told of its surroundings: none of the gateway's own variables, which hold secrets.
  private static func environment(_ order: LoadOrder) -> [String] {
    var all: [String] = []
    for name in ["LANG", "LC_ALL", "PATH", "TZ"] {
      if let value = unsafe getenv(name) { unsafe all.append("\(name)=\(String(cString: value))") }
    }
    if !order.directory.isEmpty { all += ["HOME=\(order.directory)", "TMPDIR=\(order.directory)"] }
    return all
  }
}
