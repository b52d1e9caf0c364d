import GatewayPlugin
import PluginStorage

/// Calls of Agent Forge for one lease, repeated while the plugin is replaced or busy.
struct ForgeCalls {
  /// Nanoseconds for which no answer is put up with.
  static let patience: UInt64 = 30_000_000_000
  /// Bytes of a file that go or come at once; base64 makes a third more of them.
  static let piece = 128 << 10

  let calls: LeaseCalls
  let around: WorkerSurroundings
  let subject: String

  /// What Agent Forge has against a call.
  struct Refusal: Error {
    let status: Int
    let code: String
    let message: String
  }

  /// Calls until there is an answer.
  ///
  /// - Parameters:
  ///   - service: Like `forge.train`.
  ///   - method: Of it.
  ///   - argument: With what.
  ///   - timeout: Of one try.
  /// - Returns: The result.
  /// - Throws: `LeaseStopped`; `Refusal`; `NodeFault` when there is none for long.
  func ask(
    _ service: String,
    _ method: String,
    _ argument: JSON,
    timeout: Duration = .seconds(10)
  ) throws -> JSON {
    let began = Clock.monotonic()
    while true {
      try calls.checkStop()
      if let answer = try askOnce(service, method, argument, timeout) { return answer }
      guard Clock.monotonic() < began + Self.patience else {
        throw NodeFault("Agent Forge does not answer")
      }
      try calls.rest(milliseconds: 250)
    }
  }

  /// Calls once; `nil` when there was no answer, and it may be asked again.
  func askOnce(
    _ service: String,
    _ method: String,
    _ argument: JSON,
    _ timeout: Duration = .seconds(10)
  ) throws -> JSON? {
    let answer: JSON
    do throws(HostRefusal) {
      answer = try around.service(
        .init(service, method, argument, subject: subject, timeout: timeout)
      )
    } catch .argument {
      throw NodeFault("Agent Forge does not take \(method) of this release")
    } catch { return nil }
    guard let error = answer["error"], let message = error["message"]?.asString else {
      return answer
    }
    throw Refusal(
      status: Int(error["status"]?.asInteger ?? 422),
      code: error["code"]?.asString ?? "",
      message: Self.sentence(message, error["details"])
    )
  }

  /// The fields that a message is about, with what is wrong with each; or else the message.
  private static func sentence(_ message: String, _ details: JSON?) -> String {
    let errors = details?.asArray ?? []
    let parts = errors.prefix(5).compactMap { error -> String? in
      guard let field = error["field"]?.asString, let reason = error["reason"]?.asString else {
        return nil
      }
      return "\(field) \(reason)"
    }
    return parts.isEmpty ? message : parts.joined(separator: "; ") + "."
  }
}
