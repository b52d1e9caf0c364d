package import GatewayPlugin

/// A call of a tool: `{"name":…,"arguments":{…}}` between `<|toolcall|>` and `<|endoftoolcall|>`.
package struct ToolCall: Sendable, Equatable {
  package let name: String
  /// An object.
  package let arguments: JSON

  /// The deepest JSON that is read.
  private static let deepest = 8

  /// A call.
  package init(name: String, arguments: JSON) {
    self.name = name
    self.arguments = arguments
  }

  /// The JSON that stands between the tokens.
  package var bytes: [UInt8] {
    (["name": .string(name), "arguments": arguments] as JSON).bytes
  }

  /// Reads JSON; `nil` for what is no object of a text `name` and an object `arguments` alone.
  ///
  /// - Parameter bytes: What stands between the tokens.
  package init?(_ bytes: [UInt8]) {
    guard let json = try? JSON.parse(bytes.span, maxDepth: Self.deepest),
      let members = json.asMembers, members.count == 2, let name = json["name"]?.asString,
      let arguments = json["arguments"], arguments.asMembers != nil
    else { return nil }
    self.init(name: name, arguments: arguments)
  }

  /// The first call in what a model said; `nil` when there is none between the tokens, or none that reads.
  ///
  /// - Parameters:
  ///   - tokens: What it said.
  ///   - tokenizer: Its own.
  package init?(in tokens: [Int32], _ tokenizer: Tokenizer) {
    guard let start = tokens.firstIndex(of: Special.toolCall.id) else { return nil }
    let rest = tokens[(start + 1)...]
    guard let end = rest.firstIndex(of: Special.endOfToolCall.id) else { return nil }
    self.init(tokenizer.decode(rest[..<end]))
  }

  /// Whether the arguments are those of `other`, in any order.
  package func hasArguments(of other: ToolCall) -> Bool {
    guard let own = arguments.asMembers, let wanted = other.arguments.asMembers,
      own.count == wanted.count, Set(own.map(\.name)).count == own.count
    else { return false }
    return own.allSatisfy { member in other.arguments[member.name] == member.value }
  }
}
