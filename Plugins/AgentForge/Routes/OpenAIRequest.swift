package import GatewayPlugin

/// The body of `POST /openai/v1/chat/completions`; members it does not know are passed over, as OpenAI does.
package struct OpenAIRequest: Sendable, Equatable {
  package var model = ""
  package var turns: [Turn] = []
  package var isStreamed = false
  /// Whether a stream ends with a chunk that has the usage.
  package var includesUsage = false
  package var options = GenerationOptions()

  /// Reads a body.
  ///
  /// - Parameter body: A JSON object.
  /// - Throws: 422 with every bad member.
  package init(_ body: JSON) throws(Failure) {
    var fields = Fields(Self.known(body))
    model = fields.string("model", 1...64)
    turns = Self.turns(&fields)
    isStreamed = fields.bool("stream", default: false)
    includesUsage =
      fields.json("stream_options")?["include_usage"]?.asBool ?? false && isStreamed
    // OpenAI's defaults: as long as the model wants, at its own temperature.
    options.maxTokens = 4096
    options.sampling.temperature = 1
    options.readCommon(&fields, seeds: Int.min...Int.max)
    options.maxTokens =
      fields.optionalInteger("max_completion_tokens", 1...4096) ?? options.maxTokens
    if fields.integer("n", default: 1) != 1 {
      fields.refuse("n", "must be 1: a request gets one answer")
    }
    options.stop = Self.stops(&fields)
    try fields.finish(unknown: .ignored)
  }

  /// The body without what messages have besides role and content.
  private static func known(_ body: JSON) -> JSON {
    guard case .object(var members) = body,
      let place = members.firstIndex(where: { $0.name == "messages" }),
      let messages = members[place].value.asArray
    else { return body }
    members[place].value = .array(
      messages.map { message in
        guard let all = message.asMembers else { return message }
        return .object(all.filter { $0.name == "role" || $0.name == "content" })
      }
    )
    return .object(members)
  }

  private static func stops(_ fields: inout Fields) -> [String] {
    guard let stop = fields.json("stop") else { return [] }
    if let text = stop.asString {
      if (1...256).contains(text.unicodeScalars.count) { return [text] }
      fields.refuse("stop", "must be text of 1 to 256 characters")
      return []
    }
    return fields.strings("stop", 0...4, length: 1...256)
  }

  private static func turns(_ fields: inout Fields) -> [Turn] {
    fields.objects("messages", 1...1024) { part in
      let roles = ["system", "developer", "user", "assistant", "tool"]
      let name = part.choice("role", roles)
      let role = Role(rawValue: name == "developer" ? "system" : name) ?? .user
      return Turn(role, Self.content(&part))
    }
  }

  /// Text, or parts of the type text; an assistant's may be absent.
  private static func content(_ part: inout Fields) -> String {
    guard let content = part.json("content") else { return "" }
    guard let parts = content.asArray else { return part.string("content", 0...1_000_000) }
    var texts: [String] = []
    for one in parts {
      guard one["type"] == "text", let text = one["text"]?.asString else {
        part.refuse(
          "content",
          "must be text, or parts of the type text: these models read no other"
        )
        return ""
      }
      texts.append(text)
    }
    return texts.joined(separator: "\n")
  }
}

extension Failure {
  /// This failure in OpenAI's shape: `{"error": {message, type, param, code}}`.
  func openAI(code: String? = nil) -> JSON {
    let first = details?.asArray?.first
    let field = first?["field"]?.asString
    var message = message
    if let field, let reason = first?["reason"]?.asString { message = "\(field) \(reason)" }
    return [
      "error": [
        "message": .string(message),
        "type": .string(status < 500 ? "invalid_request_error" : "server_error"),
        "param": field.map { .string($0) } ?? .null, "code": code.map { .string($0) } ?? .null,
      ]
    ]
  }
}
