/// Header fields in order; a name may stand more than once.
public struct HeaderFields: Sendable, Equatable, ExpressibleByDictionaryLiteral {
  /// One header field.
  public struct Field: Sendable, Equatable {
    /// As it is sent.
    public let name: String

    /// Without line breaks.
    public let value: String
  }

  /// In the order they are sent.
  public private(set) var all: [Field]

  /// The fields of a literal like `["Content-Type": "text/plain"]`.
  public init(dictionaryLiteral elements: (String, String)...) {
    all = elements.map { Field(name: $0.0, value: $0.1) }
  }

  /// Adds one at the end.
  public mutating func append(_ name: String, _ value: String) {
    all.append(Field(name: name, value: value))
  }

  /// The first value of `name`, compared without case.
  public subscript(_ name: String) -> String? {
    all.first { equalIgnoringCase($0.name.utf8, name.utf8) }?.value
  }
}

/// Whether two field names are the same, by ASCII (RFC 9110 §5.1).
func equalIgnoringCase(_ left: some Sequence<UInt8>, _ right: some Sequence<UInt8>) -> Bool {
  func lower(_ byte: UInt8) -> UInt8 { byte &- 65 < 26 ? byte | 32 : byte }
  return left.elementsEqual(right) { lower($0) == lower($1) }
}
