/// One text to train on.
package enum Document: Sendable, Hashable {
  /// Text that goes on.
  case plain([UInt8])
  /// Turns of speakers.
  case dialogue([Turn])

  /// The tokens, and which of them are targets when only the assistant's words are: none of plain text's are not.
  package func marked(_ tokenizer: Tokenizer) -> MarkedTokens {
    switch self {
    case .plain(let bytes):
      var marked = MarkedTokens()
      marked.append(tokenizer.encode(bytes), isTarget: true)
      return marked
    case .dialogue(let turns): return Dialogue.render(turns, tokenizer)
    }
  }

  /// The bytes of its text, for counting and for training a tokenizer.
  package var texts: [[UInt8]] {
    switch self {
    case .plain(let bytes): [bytes]
    case .dialogue(let turns): turns.map { Array($0.content.utf8) }
    }
  }
}

/// Why data cannot be trained on, and what is wanted.
package enum DataError: Error, Equatable, CustomStringConvertible {
  /// A file's record is not what its form says.
  case malformed(place: String, reason: String)
  /// The file is larger than a file may be.
  case tooLarge(bytes: Int, limit: Int)
  /// There are more documents than there may be.
  case tooMany(documents: Int, limit: Int)
  /// There is too little text.
  case tooSmall(tokens: Int, needed: Int)
  /// A state to go on from is not one of this data.
  case badState(String)

  package var description: String {
    switch self {
    case .malformed(let place, let reason): "\(place): \(reason)"
    case .tooLarge(let bytes, let limit):
      "the file has \(bytes) bytes and may have \(limit): send less"
    case .tooMany(let documents, let limit):
      "there are \(documents) documents and may be \(limit): send fewer, longer ones"
    case .tooSmall(let tokens, let needed):
      "the data has \(tokens) tokens and at least \(needed) are needed: add text or shorten the context"
    case .badState(let reason): "the state of the data cannot be taken up: \(reason)"
    }
  }
}
