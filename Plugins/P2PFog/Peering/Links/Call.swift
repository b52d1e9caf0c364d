/// What a call carries, one way: a JSON text and bytes beside it.
///
/// Neither is looked at here; who is called parses the text.
package struct CallContent: Sendable, Equatable {
  /// Bytes of the longest JSON text.
  package static let jsonLimit = 256 << 10
  /// Bytes of the longest attachment.
  package static let bytesLimit = 1 << 20

  /// One JSON text, UTF-8.
  package let json: [UInt8]
  /// What goes with it.
  package let bytes: [UInt8]

  package init(json: [UInt8], bytes: [UInt8] = []) {
    self.json = json
    self.bytes = bytes
  }

  /// Bytes of both.
  package var count: Int { json.count + bytes.count }
  /// Whether both keep their limits.
  package var isWithinLimits: Bool {
    json.count <= Self.jsonLimit && bytes.count <= Self.bytesLimit
  }
}

/// Why a call was not served.
package struct CallRefusal: Error, Sendable, Equatable {
  /// Bytes of the longest code and message; more is cut.
  package static let codeLimit = 64, messageLimit = 512

  /// A word for programs, as `NOT_FOUND`.
  package let code: String
  /// A sentence for people.
  package let message: String

  package init(code: String, message: String) {
    self.code = code.cut(toBytes: Self.codeLimit)
    self.message = message.cut(toBytes: Self.messageLimit)
  }
}

/// How a call ended; each ends exactly once.
package enum CallResult: Sendable, Equatable {
  /// The other has answered.
  case answered(CallContent)
  /// The other, or this peer's own limits, refused it.
  case refused(CallRefusal)
  /// No answer came in time; whether the other has done what was asked is not known.
  case timedOut
  /// There is no link, or it ended before the answer; whether the other has done what was asked is not known.
  case lost
}

/// Which call is answered.
package struct CallToken: Sendable, Hashable {
  let link: Int
  let stream: UInt32
}

extension String {
  /// The longest beginning of whole characters with at most `limit` bytes of UTF-8.
  fileprivate func cut(toBytes limit: Int) -> String {
    guard utf8.count > limit else { return self }
    var text = ""
    var count = 0
    for character in self {
      count += character.utf8.count
      guard count <= limit else { break }
      text.append(character)
    }
    return text
  }
}
