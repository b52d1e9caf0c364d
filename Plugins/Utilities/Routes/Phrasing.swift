package import GatewayPlugin

/// An answer in a model's own words, beside the cited one: asked of whatever plugin serves `forge.generate`.
package struct Phrasing: Sendable {
  /// A call of the service: argument, and on whose behalf.
  package typealias Call = @Sendable (JSON, String) throws(HostRefusal) -> JSON

  /// The service that is called.
  package static let service = "forge.generate"
  /// How long it may take; the route's own limit is longer.
  package static let time = Duration.seconds(25)
  /// Passages a model is given.
  private static let passages = 5
  private static let tokens = 256

  private let call: Call

  /// Phrasing by `call`.
  package init(_ call: @escaping Call) { self.call = call }

  /// Asks a model.
  ///
  /// - Parameters:
  ///   - reply: What was found; its passages are put before the model.
  ///   - question: What was asked.
  ///   - model: Whose words.
  ///   - subject: Who asks, and whose model it is.
  /// - Returns: `{text, model_id, finish_reason, truncated}`; `null` when nothing was found that could be phrased.
  /// - Throws: 404 for a model that is not there, 422 when no plugin has models, 503 when it does not answer.
  package func phrase(
    _ reply: Reply,
    to question: String,
    model: String,
    subject: String
  ) throws(Failure) -> JSON {
    if reply.sources.isEmpty { return .null }
    // What is too long for a model is cut at its start, so the best passage stands last.
    let passages = reply.sources.prefix(Self.passages).reversed().map(\.hit.passage.body)
    let prompt = passages.joined(separator: "\n\n") + "\n\nQuestion: \(question)\nAnswer:"
    let argument: JSON = [
      "model_id": .string(model), "prompt": .string(prompt),
      "max_tokens": .integer(Int64(Self.tokens)),
      "temperature": 0,
    ]
    let result: JSON
    do throws(HostRefusal) {
      result = try call(argument, subject)
    } catch {
      throw Self.failure(error)
    }
    if let error = result["error"] { throw Self.failure(error) }
    return [
      "text": result["text"] ?? .null, "model_id": .string(model),
      "finish_reason": result["finish_reason"] ?? .null,
      "truncated": result["truncated"] ?? .null,
    ]
  }

  private static func failure(_ refusal: HostRefusal) -> Failure {
    switch refusal {
    case .notFound, .unsupported, .denied:
      .validation([
        FieldError(
          field: "model_id",
          reason: "cannot be used: no plugin of this gateway offers models; leave it out"
        )
      ])
    case .gone, .argument, .state, .limit, .timeout, .busy, .failed:
      .unavailable(
        "The model of model_id did not answer: \(refusal). Ask again, or without model_id.",
        retryAfter: .seconds(5)
      )
    }
  }

  /// What the service says the caller can do something about.
  private static func failure(_ error: JSON) -> Failure {
    let message = error["message"]?.asString ?? "it gave no reason"
    switch error["code"] {
    case "RESOURCE_NOT_FOUND": return .notFound("model_id: \(message)")
    case "VALIDATION_ERROR":
      return .validation([FieldError(field: "model_id", reason: "was refused: \(message)")])
    default:
      return .unavailable(
        "The model of model_id cannot answer: \(message)",
        retryAfter: .seconds(5)
      )
    }
  }
}
