package import GatewayPlugin

/// One call of the service `forge.generate`: a model of the call's subject answers another plugin.
///
/// The argument is `{model_id, prompt | messages, max_tokens, temperature, top_p, seed, stop}`, the result `{model_id,
/// text, finish_reason, truncated, usage, cpu_ms}`. What the caller can do something about is a result too: `{error:
/// {code, message, details?}}`, with the code `RESOURCE_NOT_FOUND` for a model that the subject does not have and
/// `VALIDATION_ERROR` for a bad argument.
///
/// The method `describe` takes `{model_id}` and says whether it would answer: `{model_id}`, or the same error.
package struct GenerateCall: Sendable, Equatable {
  /// The name other plugins call it by.
  package static let service = "forge.generate"

  private static let roles = Role.allCases.map(\.rawValue)

  var model = ""
  var turns: [Turn] = []
  var options = GenerationOptions()

  /// Reads an argument.
  ///
  /// - Parameter argument: As described above.
  /// - Throws: 422 with every bad member.
  package init(_ argument: JSON) throws(Failure) {
    var fields = Fields(argument)
    model = fields.string("model_id", 1...64)
    options.readCommon(&fields)
    options.stop =
      fields.json("stop") == nil ? [] : fields.strings("stop", 0...4, length: 1...256)
    let prompt = fields.optionalString("prompt", 1...100_000)
    let hasMessages = fields.json("messages") != nil
    if hasMessages {
      turns = fields.objects("messages", 1...256) { part in
        let role = Role(rawValue: part.choice("role", Self.roles)) ?? .user
        return Turn(role, part.string("content", 0...100_000))
      }
    }
    if let prompt { turns = [Turn(.user, prompt)] }
    if hasMessages == (prompt != nil) {
      fields.refuse("prompt", "is wanted, or messages: one of the two")
    }
    try fields.finish()
  }

  /// Answers one call.
  ///
  /// - Parameters:
  ///   - argument: As described above.
  ///   - subject: Whose models there are.
  ///   - service: Answers.
  /// - Returns: The result as described above.
  /// - Throws: What is nobody's mistake but ours.
  package static func answer(
    _ argument: JSON,
    subject: String,
    _ service: ChatService
  ) throws -> JSON {
    do {
      let call = try GenerateCall(argument)
      let (model, _) = try service.find(call.model, owner: subject)
      let prompt = Prompt(call.turns, for: model.model, maxTokens: call.options.maxTokens)
      // Nobody can take back a call; its length is bounded.
      let made = try service.generate(prompt, with: model, call.options, isCancelled: { false })
      return [
        "model_id": .string(call.model), "text": .string(made.text),
        "finish_reason": .string(made.finish.rawValue), "truncated": .bool(prompt.isTruncated),
        "usage": made.usage, "cpu_ms": .number(Double(made.processorTime / 1000) / 1000),
      ]
    } catch let failure as Failure { return error(failure) }
  }

  /// Says whether a model is there for a subject.
  ///
  /// - Parameters:
  ///   - argument: `{model_id}`.
  ///   - subject: Whose models there are.
  ///   - service: Would answer.
  /// - Returns: `{model_id}`, or an error as `answer` gives it.
  /// - Throws: What is nobody's mistake but ours.
  package static func describe(
    _ argument: JSON,
    subject: String,
    _ service: ChatService
  ) throws -> JSON {
    do {
      var fields = Fields(argument)
      let model = fields.string("model_id", 1...64)
      try fields.finish()
      guard try service.models.record(model, owner: subject) != nil else {
        throw Failure.noModel(model)
      }
      return ["model_id": .string(model)]
    } catch let failure as Failure { return error(failure) }
  }

  private static func error(_ failure: Failure) -> JSON {
    var members: [JSON.Member] = [
      .init(name: "code", value: .string(failure.code)),
      .init(name: "message", value: .string(failure.message)),
    ]
    if let details = failure.details { members.append(.init(name: "details", value: details)) }
    return ["error": .object(members)]
  }
}
