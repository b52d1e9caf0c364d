import Foundation
import Peering
import Testing

@testable import P2PFog

@Suite("Calls between peers")
struct NetworkCallsTests {
  static func calls() throws -> NetworkCalls {
    let identity = Identity(seed: [UInt8](repeating: 1, count: 32))
    let listen = try #require(Endpoint(text: "127.0.0.1:0"))
    let network = try PeerNetwork(identity, NetworkSettings(listen: listen))
    return NetworkCalls(own: identity.id, network: network)
  }

  static let other = Identity(seed: [UInt8](repeating: 2, count: 32)).id

  @Test("a call of this gateway itself is answered here, and one that nobody serves is refused")
  func itself() throws {
    let calls = try Self.calls()
    calls.serve("echo") { (peer, body) throws(CallFailure) in body }
    let body = CallBody(["a": 1], bytes: [1, 2])
    #expect(try calls.call(calls.own, "echo", body, timeout: .seconds(1)) == body)
    #expect(throws: CallFailure.self) {
      try calls.call(calls.own, "other", body, timeout: .seconds(1))
    }
  }

  @Test("a call of another that is no JSON, or of no method, is refused with a word for programs")
  func refused() throws {
    let calls = try Self.calls()
    let malformed = calls.serve(Self.other, "echo", .init(json: [0x7B], bytes: []))
    let unknown = calls.serve(Self.other, "echo", .init(json: [], bytes: []))
    #expect(Self.code(malformed) == "VALIDATION_ERROR" && Self.code(unknown) == "UNKNOWN_METHOD")
  }

  @Test("when the network stops, a call that waits ends at once")
  func ending() throws {
    let calls = try Self.calls()
    let over = DispatchSemaphore(value: 0)
    let began = Date()
    Thread.detachNewThread {
      do throws(CallFailure) {
        _ = try calls.call(Self.other, "echo", CallBody([:], bytes: []), timeout: .seconds(100))
      } catch {
        if case .unreachable = error { over.signal() }
      }
    }
    // The call may not have begun to wait yet; then the next `end` is the one that finds it.
    while over.wait(timeout: .now() + .milliseconds(10)) != .success {
      calls.end()
      guard Date().timeIntervalSince(began) < 20 else {
        Issue.record("the call goes on")
        return
      }
    }
  }

  private static func code(_ answer: Result<CallContent, CallRefusal>) -> String? {
    if case .failure(let refusal) = answer { refusal.code } else { nil }
  }
}
