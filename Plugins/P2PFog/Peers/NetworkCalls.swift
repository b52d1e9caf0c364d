import GatewayPlugin
package import Peering
import PluginStorage
import Synchronization

/// Calls between peers over the links of the overlay.
package final class NetworkCalls: PeerCalls {
  /// Called with the proven caller.
  private typealias Handler =
    @Sendable (PeerID, CallBody) throws(CallFailure) -> CallBody

  /// What one caller waits for.
  private final class Waiting: Sendable {
    let gate = Gate()
    let result = Mutex<CallResult?>(nil)
  }

  private static let timeoutCode = "TIMEOUT"
  private static let unreachableCode = "UNREACHABLE"

  package let own: PeerID
  private let network: PeerNetwork
  private let handlers = Mutex<[String: Handler]>([:])
  private let waiting = Mutex<[UInt64: Waiting]>([:])
  private let nextNumber = Atomic<UInt64>(1)

  /// Calls by way of `network`.
  ///
  /// - Parameters:
  ///   - own: This peer.
  ///   - network: Need not run yet.
  package init(own: PeerID, network: PeerNetwork) {
    self.own = own
    self.network = network
  }

  package func serve(
    _ method: String,
    _ handler: @escaping @Sendable (PeerID, CallBody) throws(CallFailure) -> CallBody
  ) {
    handlers.withLock { $0[method] = handler }
  }

  package func call(
    _ peer: PeerID,
    _ method: String,
    _ body: CallBody,
    timeout: Duration
  ) throws(CallFailure) -> CallBody {
    if peer == own { return try handle(own, method, body) }
    let number = nextNumber.wrappingAdd(1, ordering: .relaxed).oldValue
    let one = Waiting()
    waiting.withLock { $0[number] = one }
    defer { waiting.withLock { _ = $0.removeValue(forKey: number) } }
    let content = CallContent(json: body.json.bytes, bytes: body.bytes)
    let nanoseconds =
      UInt64(timeout.components.seconds) * 1_000_000_000
      + UInt64(timeout.components.attoseconds / 1_000_000_000)
    let isTaken = network.post { loop in
      loop.call(number, to: peer, method: method, body: content, timeout: nanoseconds)
    }
    guard isTaken else {
      throw .unreachable("the network of this gateway stops, or does not keep up")
    }
    guard one.gate.wait(atMost: timeout + .seconds(1)), let result = one.result.withLock({ $0 })
    else { throw .timeout }
    return try Self.answer(result)
  }

  /// Takes the end of a call from the network's loop.
  package func ended(_ number: UInt64, _ result: CallResult) {
    guard let one = waiting.withLock({ $0[number] }) else { return }
    one.result.withLock { $0 = result }
    one.gate.open()
  }

  /// Ends every call that waits: the network's loop is over, and nobody else would.
  package func end() {
    for number in waiting.withLock({ Array($0.keys) }) { ended(number, .lost) }
  }

  /// Answers a call of another peer; on a worker, may block.
  ///
  /// - Parameters:
  ///   - peer: Proven by its link.
  ///   - method: What is wanted.
  ///   - body: As it came.
  /// - Returns: The answer.
  package func serve(
    _ peer: PeerID,
    _ method: String,
    _ body: CallContent
  ) -> Result<CallContent, CallRefusal> {
    guard let json = body.json.isEmpty ? [:] : try? JSON.parse(body.json) else {
      return .failure(CallRefusal(code: "VALIDATION_ERROR", message: "The call is no JSON."))
    }
    do throws(CallFailure) {
      let answer = try handle(peer, method, CallBody(json, bytes: body.bytes))
      return .success(CallContent(json: answer.json.bytes, bytes: answer.bytes))
    } catch {
      switch error {
      case .refused(let code, let message):
        return .failure(CallRefusal(code: code, message: message))
      case .timeout:
        return .failure(CallRefusal(code: Self.timeoutCode, message: "It took too long."))
      case .unreachable(let why):
        return .failure(CallRefusal(code: Self.unreachableCode, message: why))
      }
    }
  }

  private func handle(
    _ peer: PeerID,
    _ method: String,
    _ body: CallBody
  ) throws(CallFailure) -> CallBody {
    guard let handler = handlers.withLock({ $0[method] }) else {
      throw .refused(code: "UNKNOWN_METHOD", message: "This peer does not serve \(method).")
    }
    return try handler(peer, body)
  }

  /// A handler's own `timeout` and `unreachable` arrive as what they are, not as a refusal.
  private static func failure(_ refusal: CallRefusal) -> CallFailure {
    switch refusal.code {
    case timeoutCode: .timeout
    case unreachableCode: .unreachable(refusal.message)
    default: .refused(code: refusal.code, message: refusal.message)
    }
  }

  private static func answer(_ result: CallResult) throws(CallFailure) -> CallBody {
    switch result {
    case .answered(let body):
      guard let json = body.json.isEmpty ? [:] : try? JSON.parse(body.json) else {
        throw .refused(code: "MALFORMED_ANSWER", message: "The peer's answer is no JSON.")
      }
      return CallBody(json, bytes: body.bytes)
    case .refused(let refusal): throw Self.failure(refusal)
    case .timedOut: throw .timeout
    case .lost: throw .unreachable("there is no link with the peer, or it ended before the answer")
    }
  }
}
