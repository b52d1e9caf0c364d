import CGatewayPlugin
import Synchronization

@testable import Gateway

/// Keeps answers and events in place of the server.
final class FakeServer: AnswerSink, EventOutlet {
  struct Answer: Sendable, Equatable {
    var kind: String
    var status: UInt16 = 0
    var message = ""
    var body = ""
    var fields: [String] = []
  }

  private struct State {
    /// The owner of each live request.
    var live: [UInt64: UInt64] = [:]
    var answers: [UInt64: Answer] = [:]
    var events: [String] = []
    var next: UInt64 = 1
  }

  private let state = Mutex(State())

  /// Makes a request that the instance of `owner` may answer.
  func open(owner: UInt64) -> UInt64 {
    state.withLock { state in
      state.next += 1
      state.live[state.next] = owner
      return state.next
    }
  }

  /// Ends a request without an answer.
  func cancel(_ request: UInt64) { _ = state.withLock { $0.live.removeValue(forKey: request) } }

  func answer(to request: UInt64) -> Answer? { state.withLock { $0.answers[request] } }
  var hasRoom: Bool { true }
  var events: [String] { state.withLock { $0.events } }

  private func take(_ request: UInt64, _ owner: UInt64, _ answer: Answer) -> gw_status {
    state.withLock { state in
      guard state.live[request] == owner else { return GW_E_GONE }
      state.live[request] = nil
      state.answers[request] = answer
      return GW_OK
    }
  }

  private static func text(_ fields: UnsafeBufferPointer<gw_field>) -> [String] {
    fields.map { "\($0.name.text(cutAt: 99)): \($0.value.text(cutAt: 99))" }
  }

  func reply(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    message: gw_bytes,
    data: gw_bytes,
    fields: UnsafeBufferPointer<gw_field>
  ) -> gw_status {
    let answer = Answer(
      kind: "reply",
      status: status,
      message: message.text ?? "",
      body: data.text ?? "",
      fields: Self.text(fields)
    )
    return take(request, owner, answer)
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
    let answer = Answer(
      kind: "fail",
      status: status,
      message: message.text ?? "",
      body: details.text ?? "",
      fields: Self.text(fields)
    )
    return take(request, owner, answer)
  }

  func respond(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    fields: UnsafeBufferPointer<gw_field>,
    body: gw_buffer
  ) -> gw_status {
    defer { body.giveBack() }
    let answer = Answer(kind: "respond", status: status, body: body.bytes.text ?? "")
    return take(request, owner, answer)
  }

  func start(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    fields: UnsafeBufferPointer<gw_field>,
    length: UInt64
  ) -> gw_status { GW_E_UNSUPPORTED }

  func write(_ request: UInt64, owner: UInt64, bytes: gw_buffer) -> gw_status {
    bytes.giveBack()
    return GW_E_GONE
  }

  func finish(_ request: UInt64, owner: UInt64) -> gw_status { GW_E_GONE }
  func abort(_ request: UInt64, owner: UInt64, reason: String) -> gw_status {
    take(request, owner, Answer(kind: "abort"))
  }
  func withRequestID(of request: UInt64, _ use: @escaping @Sendable (String?) -> Void) { use(nil) }

  func publish(topic: String, subject: String, payload: [UInt8]) {
    state.withLock { $0.events.append("\(topic) \(String(decoding: payload, as: UTF8.self))") }
  }
}
