import CGatewayPlugin
import Synchronization

/// One request at a route of the plugin: what is still awaited of it, and what it did wrong.
// Sendable although it holds pointers: all but the state behind the lock is constant, and the plugin's word is written
// by the plugin's thread before the driver reads it.
@safe
final class ScriptedRequest: @unchecked Sendable {
  enum Answer: Equatable, Sendable {
    case none
    case streaming
    /// Ended, by which function; the host's own for a status below 0.
    case ended(String)
  }

  @safe
  struct State {
    var answer = Answer.none
    var sent: UInt64 = 0
    var length = UInt64.max
    /// No answer is wanted any more.
    var isGone = false
    var isCancelDue = false
    var wantsRoom = false
    var writes = 0
    /// What the last call of the plugin gave.
    var returned: gw_status?
    var faults: [String] = []
    var held: [gw_buffer] = unsafe []
  }

  let route: ScriptedRoute
  let course: RequestCourse
  let handle: UInt64
  let state = Monitor(State())
  /// Memory of its own: the plugin writes it while other threads may read it.
  let word = UnsafeMutablePointer<UnsafeMutableRawPointer?>.allocate(capacity: 1)

  private static let next = Atomic<UInt64>(1)

  init(_ route: ScriptedRoute, _ course: RequestCourse) {
    self.route = route
    self.course = course
    handle = 1 << 56 | Self.next.wrappingAdd(1, ordering: .relaxed).oldValue
    unsafe word.initialize(to: nil)
    if course.leaving == .before { state.withLock { $0.isGone = true } }
  }

  deinit { unsafe word.deallocate() }

  func fault(_ sentence: String) { state.withLock { $0.faults.append(sentence) } }

  // MARK: - What the plugin calls

  /// Refuses an argument as the gateway does, and notes why.
  func refuse(_ sentence: String) -> gw_status {
    fault("\(sentence).")
    return GW_E_ARGUMENT
  }

  func refuseFields(_ call: String) -> gw_status {
    refuse(
      "\(call) has a header field that may not be sent (malformed, too long, or one that frames the message)"
    )
  }

  /// A whole answer.
  func settle(_ call: String) -> gw_status {
    change { state in
      guard !state.isGone else { return GW_E_GONE }
      switch state.answer {
      case .none:
        state.answer = .ended(call)
        return GW_OK
      case .streaming:
        state.faults.append(
          "\(call) came after start; a streamed answer ends with finish or abort."
        )
        return GW_E_STATE
      case .ended(let first):
        state.faults.append(Self.second(call, first))
        return GW_E_GONE
      }
    }
  }

  func start(length: UInt64) -> gw_status {
    change { state in
      guard !state.isGone else { return GW_E_GONE }
      switch state.answer {
      case .none:
        state.answer = .streaming
        state.length = length
        leaveIf(course.leaving == .atStart, &state)
        return GW_OK
      case .streaming:
        state.faults.append("start came twice.")
        return GW_E_STATE
      case .ended(let first):
        state.faults.append(Self.second("start", first))
        return GW_E_GONE
      }
    }
  }

  func write(_ count: Int) -> gw_status {
    change { state in
      guard !state.isGone else { return GW_E_GONE }
      guard state.answer == .streaming else {
        state.faults.append(
          "write came \(state.answer == .none ? "before start" : "after the end")."
        )
        return state.answer == .none ? GW_E_STATE : GW_E_GONE
      }
      state.writes += 1
      if course.leaving == .atWrite(state.writes) {
        leaveIf(true, &state)
        return GW_E_GONE
      }
      state.sent += UInt64(count)
      guard state.sent <= state.length else {
        state.faults.append("write brought more bytes than start announced (\(state.length)).")
        return GW_E_LIMIT
      }
      guard course.isSlow, unsafe route.handler.writable != nil else { return GW_OK }
      state.wantsRoom = true
      return GW_AGAIN
    }
  }

  func finish() -> gw_status {
    change { state in
      guard !state.isGone else { return GW_E_GONE }
      guard state.answer == .streaming else {
        state.faults.append("finish came without start.")
        return state.answer == .none ? GW_E_STATE : GW_E_GONE
      }
      if state.length != .max, state.sent < state.length {
        state.faults.append("finish came after \(state.sent) of \(state.length) bytes.")
      }
      state.answer = .ended("finish")
      return GW_OK
    }
  }

  func abort() -> gw_status {
    change { state in
      guard !state.isGone else { return GW_E_GONE }
      if case .ended(let first) = state.answer {
        state.faults.append(Self.second("abort", first))
        return GW_E_GONE
      }
      state.answer = .ended("abort")
      return GW_OK
    }
  }

  /// Keeps bytes until the client has taken them.
  func hold(_ buffer: gw_buffer) {
    guard unsafe buffer.release != nil else { return }
    state.withLock { unsafe $0.held.append(buffer) }
  }

  /// Gives all kept bytes back, having read them to their ends.
  func giveBack() -> UInt8 {
    let held = unsafe state.withLock { state in
      defer { unsafe state.held = [] }
      return unsafe state.held
    }
    var sum: UInt8 = 0
    for index in unsafe held.indices {
      let buffer = unsafe held[index]
      unsafe buffer.bytes.borrowed.forEach { sum ^= $0 }
      unsafe buffer.giveBack()
    }
    return sum
  }

  private static func second(_ call: String, _ first: String) -> String {
    """
    It answered twice (\(call) after \(first)); the gateway drops the second answer: answer each request once.
    """
  }

  private func leaveIf(_ leaves: Bool, _ state: inout State) {
    guard leaves else { return }
    state.isGone = true
    state.isCancelDue = true
  }

  private func change(_ body: (inout State) -> gw_status) -> gw_status {
    let status = state.withLock(body)
    state.wakeAll()
    return status
  }
}
