/// A media type with its parameters, such as `text/html; charset=utf-8` (RFC 9110 §8.3.1).
public struct MediaType: Equatable, Sendable {
  /// The part before the slash, in small letters.
  public let type: String
  /// The part after the slash, in small letters.
  public let subtype: String
  /// The parameters in order; names in small letters and never repeated.
  public let parameters: [FieldParameter]

  /// Type and subtype without parameters, in small letters.
  public var essence: String { "\(type)/\(subtype)" }

  /// The value of the parameter `name`, given in small letters, or `nil` when there is none.
  public subscript(_ name: String) -> String? {
    parameters.first { $0.name == name }?.value
  }

  /// Reads the value of a `Content-Type` field.
  ///
  /// - Parameter value: The field value.
  /// - Returns: The media type, or `nil` when the value is malformed.
  public static func parse(_ value: Span<UInt8>) -> MediaType? {
    let range = ASCII.trimmed(value, 0..<value.count)
    var index = range.lowerBound
    guard let type = FieldParameter.token(value, &index), index < range.upperBound,
      value[index] == UInt8(ascii: "/")
    else { return nil }
    index += 1
    guard let subtype = FieldParameter.token(value, &index),
      let parameters = FieldParameter.parse(value, index..<range.upperBound)
    else { return nil }
    return MediaType(type: type.lowercased(), subtype: subtype.lowercased(), parameters: parameters)
  }
}

/// One `name=value` behind a field value (RFC 9110 §5.6.6).
public struct FieldParameter: Equatable, Sendable {
  /// The name in small letters.
  public let name: String
  /// The value without quotes and their escapes.
  public let value: String

  /// Makes a parameter.
  public init(name: String, value: String) {
    self.name = name
    self.value = value
  }

  /// Reads every `; name=value` of `range`; `nil` when one is malformed or repeated.
  static func parse(_ bytes: Span<UInt8>, _ range: Range<Int>) -> [FieldParameter]? {
    var parameters: [FieldParameter] = []
    let bytes = bytes.extracting(first: range.upperBound)
    var index = range.lowerBound
    while true {
      skipSpace(bytes, &index)
      guard index < bytes.count else { return parameters }
      guard bytes[index] == UInt8(ascii: ";") else { return nil }
      index += 1
      skipSpace(bytes, &index)
      guard index < bytes.count else { return parameters }  // a semicolon at the end is common
      guard let name = token(bytes, &index)?.lowercased(), index < bytes.count,
        bytes[index] == UInt8(ascii: "="), !parameters.contains(where: { $0.name == name })
      else { return nil }
      index += 1
      guard index < bytes.count else { return nil }
      let isQuoted = bytes[index] == UInt8(ascii: "\"")
      guard let value = isQuoted ? quoted(bytes, &index) : token(bytes, &index) else { return nil }
      parameters.append(FieldParameter(name: name, value: value))
    }
  }

  static func token(_ bytes: Span<UInt8>, _ index: inout Int) -> String? {
    let start = index
    while index < bytes.count, ASCII.isToken(bytes[index]) { index += 1 }
    return index > start ? ASCII.string(bytes, start..<index) : nil
  }

  /// Reads a quoted string, of which the opening quote has been seen.
  private static func quoted(_ bytes: Span<UInt8>, _ index: inout Int) -> String? {
    var content: [UInt8] = []
    index += 1
    while index < bytes.count {
      var byte = bytes[index]
      index += 1
      if byte == UInt8(ascii: "\"") { return ASCII.string(content.span, 0..<content.count) }
      if byte == UInt8(ascii: "\\") {
        guard index < bytes.count else { return nil }
        byte = bytes[index]
        index += 1
      }
      guard ASCII.isFieldContent(byte) else { return nil }
      content.append(byte)
    }
    return nil
  }

  private static func skipSpace(_ bytes: Span<UInt8>, _ index: inout Int) {
    while index < bytes.count, bytes[index] == 0x20 || bytes[index] == 0x09 { index += 1 }
  }
}
