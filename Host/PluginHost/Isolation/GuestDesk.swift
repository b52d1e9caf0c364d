import CGatewayPlugin
import Glibc
import Synchronization

/// Takes what the plugin answers and asks to the link, from any thread of its process.
///
/// What may still be answered is decided here, at gates of this process, so that no answer waits for the gateway.
@safe
final class GuestDesk: AnswerSink {
  @safe
  struct State {
    /// The gateway's numbers of the requests here.
    var numbers: [UInt64: UInt64] = [:]
    var lastQuestion: UInt32 = 0
    /// What the plugin declared, by its order.
    var declared: [UInt32: GuestDeclaration] = [:]
    var declarations: UInt32 = 0
    /// Records of metrics that are not sent yet: each in the form of the frame.
    var records: [[UInt8]] = []
    /// Service calls that the plugin waits for.
    var calls: [UInt64: Callback<gw_called_fn>] = unsafe [:]
    var lastCall: UInt64 = 0
    /// Log lines that were left out because the gateway takes no more.
    var lostLines = 0
  }

  /// Bytes that may wait for the gateway before log lines are left out.
  static let maxBacklog = 4 << 20

  let gates = AnswerGates(loop: 0)
  let link: ProcessLink
  let inbox: GuestInbox
  let limits: Limits
  let state = Monitor(State())
  private let guest = Mutex<Weak>(Weak())
  private let loop = pthread_self()

  private struct Weak { weak var guest: Guest? }

  /// - Parameters:
  ///   - link: To the gateway; this is the loop's thread.
  ///   - limits: For streams and events.
  init(_ link: ProcessLink, limits: Limits) {
    self.link = link
    inbox = GuestInbox(link)
    self.limits = limits
  }

  func attach(_ guest: Guest) { self.guest.withLock { $0.guest = guest } }

  // MARK: - Questions

  /// Asks the gateway and waits for what it says; on any thread.
  func ask(
    _ kind: LinkFrame.Kind,
    room: Int = 256,
    _ fill: (inout FrameBuilder) -> Void
  ) -> GuestInbox.Answer {
    let number = state.withLock { state in
      state.lastQuestion &+= 1
      return state.lastQuestion
    }
    link.send(kind, room: room) { frame in
      frame.add(number)
      fill(&frame)
    }
    let isLoop = pthread_equal(pthread_self(), loop) != 0
    let pinged: (() -> Void)? = isLoop ? { self.answerPing() } : nil
    guard let answer = inbox.answer(to: number, pinged: pinged) else { Guest.leave() }
    return answer
  }

  /// Tells the gateway that the loop goes round; on its thread.
  func answerPing() {
    link.send(.pong) { _ in }
    flushRecords()
  }

  func declared(_ index: UInt32) -> GuestDeclaration? { state.withLock { $0.declared[index] } }

  // MARK: - Requests

  /// From now on the request of gate `handle` is the gateway's `number`.
  func know(_ handle: UInt64, as number: UInt64) {
    state.withLock { $0.numbers[handle] = number }
  }

  func forget(_ handle: UInt64) { _ = state.withLock { $0.numbers.removeValue(forKey: handle) } }

  /// The gateway's number of a request; 0 of none.
  func number(of handle: UInt64) -> UInt64 { state.withLock { $0.numbers[handle] ?? 0 } }

  /// `request` has returned: tells the gateway when that says more than the answer does.
  func returned(_ handle: UInt64, _ status: gw_status, error: String?) {
    let number = number(of: handle)
    guard number != 0, status != GW_PENDING else { return }
    if status >= 0 {
      // Returned as answered: an answer must have been claimed.
      let owner = guest.withLock { $0.guest?.instance.context ?? 0 }
      guard gates.claim(handle, owner: owner, from: .open, to: .answered) == GW_OK else { return }
    }
    link.send(.returned) { frame in
      frame.add(number)
      frame.add(status)
      frame.add(error ?? "")
    }
  }

  func consumed(_ handle: UInt64, _ count: Int, _ status: gw_status, error: String?) {
    let number = number(of: handle)
    guard number != 0 else { return }
    link.send(.consumed) { frame in
      frame.add(number)
      frame.add(UInt32(clamping: count))
      frame.add(status)
      frame.add(error ?? "")
    }
  }

  func complete(_ kind: LinkFrame.Kind, _ number: UInt64, _ status: Int32, _ result: [UInt8]) {
    link.send(kind, room: result.count + 32) { frame in
      frame.add(number)
      frame.add(status)
      frame.add(result)
    }
  }

  // MARK: - Answers

  func reply(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    message: gw_bytes,
    data: gw_bytes,
    fields: UnsafeBufferPointer<gw_field>
  ) -> gw_status {
    let room = unsafe message.count + data.count + 256
    return whole(.reply, request, owner, room: room) { frame in
      frame.add(status)
      unsafe frame.add(message)
      unsafe frame.add(data)
      unsafe frame.add(fields)
    }
  }

  func fail(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    code: gw_bytes,
    message: gw_bytes,
    details: gw_bytes,
    fields: UnsafeBufferPointer<gw_field>
  ) -> gw_status {
    let room = unsafe message.count + details.count + 256
    return whole(.fail, request, owner, room: room) { frame in
      frame.add(status)
      unsafe frame.add(code)
      unsafe frame.add(message)
      unsafe frame.add(details)
      unsafe frame.add(fields)
    }
  }

  func respond(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    fields: UnsafeBufferPointer<gw_field>,
    body: gw_buffer
  ) -> gw_status {
    defer { unsafe body.giveBack() }
    return whole(.respond, request, owner, room: unsafe body.bytes.count + 256) { frame in
      frame.add(status)
      unsafe frame.add(body.bytes)
      unsafe frame.add(fields)
    }
  }

  func start(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    fields: UnsafeBufferPointer<gw_field>,
    length: UInt64
  ) -> gw_status {
    let claimed = gates.claim(request, owner: owner, from: .open, to: .streaming)
    guard claimed == GW_OK else { return claimed }
    gates.setLength(length, of: request)
    send(.start, request) { frame in
      frame.add(status)
      frame.add(length)
      unsafe frame.add(fields)
    }
    return GW_OK
  }

  func write(_ request: UInt64, owner: UInt64, bytes: gw_buffer) -> gw_status {
    defer { unsafe bytes.giveBack() }
    let count = unsafe bytes.bytes.count
    guard count < LinkFrame.maxAnswerBytes - 1024 else { return GW_E_LIMIT }
    let admitted = gates.admit(count, to: request, owner: owner, mark: limits.streamBytes)
    guard admitted >= 0 else { return admitted }
    send(.write, request, room: count + 32) { unsafe $0.add(bytes.bytes) }
    return admitted
  }

  func finish(_ request: UInt64, owner: UInt64) -> gw_status {
    let claimed = gates.claim(request, owner: owner, from: .streaming, to: .answered)
    if claimed == GW_OK { send(.finish, request) { _ in } }
    return claimed
  }

  func abort(_ request: UInt64, owner: UInt64, reason: String) -> gw_status {
    var claimed = gates.claim(request, owner: owner, from: .streaming, to: .answered)
    if claimed == GW_E_STATE {
      claimed = gates.claim(request, owner: owner, from: .open, to: .answered)
    }
    if claimed == GW_OK { send(.abort, request) { _ in } }
    return claimed
  }

  /// Lines about requests are made by the gateway, which knows the ids.
  func withRequestID(of request: UInt64, _ use: @escaping @Sendable (String?) -> Void) { use(nil) }

  private func whole(
    _ kind: LinkFrame.Kind,
    _ request: UInt64,
    _ owner: UInt64,
    room: Int,
    _ fill: (inout FrameBuilder) -> Void
  ) -> gw_status {
    guard room < LinkFrame.maxAnswerBytes - (1 << 20) else { return GW_E_LIMIT }
    let claimed = gates.claim(request, owner: owner, from: .open, to: .answered)
    if claimed == GW_OK { send(kind, request, room: room, fill) }
    return claimed
  }

  private func send(
    _ kind: LinkFrame.Kind,
    _ request: UInt64,
    room: Int = 64,
    _ fill: (inout FrameBuilder) -> Void
  ) {
    let number = number(of: request)
    link.send(kind, room: room) { frame in
      frame.add(number)
      fill(&frame)
    }
  }

  /// Sends a line for the log, or counts it when the gateway does not take what was said before.
  func log(_ fill: (inout FrameBuilder) -> Void) {
    guard link.backlog < Self.maxBacklog else { return state.withLock { $0.lostLines += 1 } }
    let lost = state.withLock { state in
      defer { state.lostLines = 0 }
      return state.lostLines
    }
    if lost > 0 {
      link.send(.log) { frame in
        frame.add(GW_LOG_WARNING)
        frame.add(UInt64(0))
        frame.add("log lines were left out: the gateway was behind")
        frame.add(UInt32(1))
        frame.add("lines")
        frame.add("\(lost)")
      }
    }
    link.send(.log, room: 512, fill)
  }

  // MARK: - Metrics

  /// Keeps a record until some have gathered, or the gateway next looks.
  func record(_ record: [UInt8]) {
    let isFull = state.withLock { state in
      state.records.append(record)
      return state.records.count >= 64
    }
    if isFull { flushRecords() }
  }

  func flushRecords() {
    let records = state.withLock { state in
      defer { state.records = [] }
      return state.records
    }
    guard !records.isEmpty else { return }
    for part in stride(from: 0, to: records.count, by: 256) {
      let some = records[part..<min(part + 256, records.count)]
      link.send(.record, room: 32 * some.count) { frame in
        frame.add(UInt32(some.count))
        for record in some { frame.append(record) }
      }
    }
  }
}
