/// The header fields of one part of a form (RFC 7578 §4).
enum MultipartHeader {
  /// Reads `Content-Disposition` and `Content-Type`; other fields are checked and dropped.
  ///
  /// - Parameter bytes: The lines, with the empty one at their end.
  /// - Returns: What they say.
  /// - Throws: `MultipartError`.
  static func part(_ bytes: Span<UInt8>) throws(MultipartError) -> MultipartParser.Part {
    var disposition: [FieldParameter]?
    var contentType: MediaType?
    var index = 0
    while index < bytes.count, bytes[index] != ASCII.carriageReturn {
      let (name, value) = try field(bytes, &index)
      if ASCII.isEqual(bytes, name, "content-disposition") {
        guard disposition == nil else { throw .missingName }
        disposition = try formData(bytes.extracting(value))
      } else if ASCII.isEqual(bytes, name, "content-type") {
        guard contentType == nil, let parsed = MediaType.parse(bytes.extracting(value)) else {
          throw .malformedHeader
        }
        contentType = parsed
      }
    }
    guard index + 2 == bytes.count, bytes[index + 1] == ASCII.lineFeed else {
      throw .malformedHeader
    }
    guard let disposition, let name = disposition.first(where: { $0.name == "name" })?.value else {
      throw .missingName
    }
    return MultipartParser.Part(
      name: name,
      filename: try filename(disposition),
      contentType: contentType
    )
  }

  /// Reads one line `name: value`.
  private static func field(
    _ bytes: Span<UInt8>,
    _ index: inout Int
  ) throws(MultipartError) -> (name: Range<Int>, value: Range<Int>) {
    let nameStart = index
    while index < bytes.count, ASCII.isToken(bytes[index]) { index += 1 }
    guard index > nameStart, index < bytes.count, bytes[index] == UInt8(ascii: ":") else {
      throw .malformedHeader
    }
    let name = nameStart..<index
    index += 1
    let valueStart = index
    while index < bytes.count, ASCII.isFieldContent(bytes[index]) { index += 1 }
    guard index + 1 < bytes.count, bytes[index] == ASCII.carriageReturn,
      bytes[index + 1] == ASCII.lineFeed
    else { throw .malformedHeader }
    let value = ASCII.trimmed(bytes, valueStart..<index)
    index += 2
    return (name, value)
  }

  private static func formData(_ value: Span<UInt8>) throws(MultipartError) -> [FieldParameter] {
    var index = 0
    guard let kind = FieldParameter.token(value, &index), kind.lowercased() == "form-data" else {
      throw .missingName
    }
    guard isUTF8(value) else { throw .invalidFilename }
    guard let parameters = FieldParameter.parse(value, index..<value.count) else {
      throw .malformedHeader
    }
    return parameters
  }

  private static func isUTF8(_ value: Span<UInt8>) -> Bool {
    ASCII.string(value, 0..<value.count) != nil
  }

  /// The extended file name where there is one, else the plain one (RFC 8187).
  private static func filename(_ parameters: [FieldParameter]) throws(MultipartError) -> String? {
    guard let extended = parameters.first(where: { $0.name == "filename*" })?.value else {
      return parameters.first { $0.name == "filename" }?.value
    }
    let pieces = extended.split(separator: "'", omittingEmptySubsequences: false)
    guard pieces.count == 3, pieces[0].lowercased() == "utf-8" else { throw .invalidFilename }
    let encoded = Array(pieces[2].utf8)
    guard let decoded = PercentCoding.decode(encoded.span, 0..<encoded.count),
      decoded.allSatisfy({ $0 >= 0x20 && $0 != 0x7F }),
      let text = ASCII.string(decoded.span, 0..<decoded.count)
    else { throw .invalidFilename }
    return text
  }
}
