/// Tokens that stand for no text; no encoded text ever holds one.
///
/// Their ids, 256...271, follow the 256 bytes in every vocabulary, so that a model's specials do not depend on the
/// merges its tokenizer learned.
package enum Special: Int32, CaseIterable, Sendable {
  /// Between two documents, and the end of a generated text.
  case endOfText = 256
  /// Opens the instructions to the assistant.
  case system
  /// Opens what a person says.
  case user
  /// Opens what the model says.
  case assistant
  /// Closes what one of the three says.
  case endOfTurn
  /// Opens a thought.
  case startOfThought
  /// Closes a thought.
  case endOfThought
  /// Stands where a thought would be and there is none.
  case noThought
  /// Opens a call of a tool.
  case toolCall
  /// Closes a call of a tool.
  case endOfToolCall
  /// Opens what a tool answered.
  case toolResult
  /// Closes what a tool answered.
  case endOfToolResult
  /// Without a meaning yet, as the three after it; a model may learn one.
  case reserved0
  case reserved1
  case reserved2
  case reserved3

  /// How many bytes there are, which come first in every vocabulary.
  package static let bytes = 256

  /// The first id that a merge may have.
  package static let end = bytes + allCases.count

  /// The token's id.
  package var id: Int32 { rawValue }

  /// The name as in `<|endofturn|>`, for people and files.
  package var name: String {
    let word =
      switch self {
      case .endOfText: "endoftext"
      case .system: "system"
      case .user: "user"
      case .assistant: "assistant"
      case .endOfTurn: "endofturn"
      case .startOfThought: "startofthought"
      case .endOfThought: "endofthought"
      case .noThought: "nothought"
      case .toolCall: "toolcall"
      case .endOfToolCall: "endoftoolcall"
      case .toolResult: "toolresult"
      case .endOfToolResult: "endoftoolresult"
      case .reserved0: "reserved0"
      case .reserved1: "reserved1"
      case .reserved2: "reserved2"
      case .reserved3: "reserved3"
      }
    return "<|\(word)|>"
  }
}
