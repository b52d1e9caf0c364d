/// The path of a route: literal segments, and `{name}` segments that match any one segment.
package struct PathPattern: Sendable, Equatable {
  package enum Segment: Sendable, Equatable {
    case literal(String)
    case parameter(String)
  }

  /// Why a text is no pattern, in words for its author.
  package enum Refusal: Error, Equatable {
    case noLeadingSlash
    case trailingSlash
    case emptySegment
    case badParameter(String)
    case repeatedParameter(String)
    case badByte(UInt8)
    case tooLong(limit: Int)
    case tooManySegments(limit: Int)
  }

  package static let maxBytes = 512
  package static let maxSegments = 32

  package let text: String
  /// The segments in order; none for `/`.
  package let segments: [Segment]

  package init(_ text: String) throws(Refusal) {
    guard text.utf8.count <= Self.maxBytes else { throw .tooLong(limit: Self.maxBytes) }
    guard text.utf8.first == UInt8(ascii: "/") else { throw .noLeadingSlash }
    for byte in text.utf8 where !Self.isAllowed(byte) { throw .badByte(byte) }
    self.text = text
    var segments: [Segment] = []
    if text.utf8.count > 1 {
      guard text.utf8.last != UInt8(ascii: "/") else { throw .trailingSlash }
      var names: Set<String> = []
      for part in text.dropFirst().split(separator: "/", omittingEmptySubsequences: false) {
        let segment = try Self.segment(part)
        if case .parameter(let name) = segment, !names.insert(name).inserted {
          throw .repeatedParameter(name)
        }
        segments.append(segment)
      }
    }
    guard segments.count <= Self.maxSegments else {
      throw .tooManySegments(limit: Self.maxSegments)
    }
    self.segments = segments
  }

  /// The pattern with every parameter named alike: two patterns of one shape match the same paths.
  package var shape: String {
    guard !segments.isEmpty else { return "/" }
    return segments.reduce(into: "") { shape, segment in
      switch segment {
      case .literal(let text): shape += "/\(text)"
      case .parameter: shape += "/{}"
      }
    }
  }

  private static func segment(_ part: Substring) throws(Refusal) -> Segment {
    guard !part.isEmpty else { throw .emptySegment }
    guard part.utf8.contains(where: { $0 == UInt8(ascii: "{") || $0 == UInt8(ascii: "}") }) else {
      return .literal(String(part))
    }
    let name = part.dropFirst().dropLast()
    guard part.first == "{", part.last == "}", part.utf8.count > 2,
      name.utf8.allSatisfy(isWordByte)
    else { throw .badParameter(String(part)) }
    return .parameter(String(name))
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
      true
    default: false
    }
  }

  // pchar of RFC 3986 §3.3 without percent-encoding: a pattern is compared with decoded segments.
  private static func isAllowed(_ byte: UInt8) -> Bool {
    isWordByte(byte) || "/{}-.~!$&'()*+,;=:@".utf8.contains(byte)
  }
}

extension PathPattern.Refusal: CustomStringConvertible {
  package var description: String {
    switch self {
    case .noLeadingSlash: "the pattern must begin with '/'"
    case .trailingSlash: "the pattern must not end with '/'"
    case .emptySegment: "the pattern has an empty segment ('//')"
    case .badParameter(let part):
      "'\(part)' is neither literal nor a whole '{name}' of letters, digits and '_'"
    case .repeatedParameter(let name): "the parameter '{\(name)}' stands twice in the pattern"
    case .badByte(let byte): "the pattern has a byte that paths do not have: \(byte)"
    case .tooLong(let limit): "the pattern is longer than \(limit) bytes"
    case .tooManySegments(let limit): "the pattern has more than \(limit) segments"
    }
  }
}
