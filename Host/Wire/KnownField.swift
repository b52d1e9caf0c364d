/// The header fields the host itself reads; found while the head is parsed.
package enum KnownField: UInt8, CaseIterable, Sendable {
  // Up to `upgrade`: what the parser itself interprets, see `isInterpreted`.
  case host
  case contentLength
  case transferEncoding
  case connection
  case expect
  case upgrade
  case authorization
  case xAPIKey
  case cookie
  case accept
  case acceptEncoding
  case origin
  case contentType
  case xRequestID
  case traceparent
  case secWebSocketKey
  case secWebSocketVersion
  case secWebSocketProtocol
  case accessControlRequestMethod
  case range
  case ifNoneMatch
  case ifRange
  case ifModifiedSince
  case userAgent
  case other

  /// Whether the field says something about the framing or the connection.
  @inline(__always)
  var isInterpreted: Bool { rawValue <= Self.upgrade.rawValue }

  /// The field named by `bytes[start..<end]`, in any case of letters.
  ///
  /// Names are compared eight bytes at a time with the case bit set, which among token bytes maps
  /// nothing else onto a letter, a digit or `-`.
  ///
  /// - Parameters:
  ///   - bytes: What holds the name.
  ///   - start: The first byte of the name.
  ///   - end: The byte after the name.
  /// - Returns: The field, or `other`.
  @inline(__always)
  static func match(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> KnownField {
    guard end &- start <= 29, end > start else { return .other }
    let last = lastWord(bytes, start, end)
    let tail = last | caseBits
    switch end &- start {
    case 4:
      if tail == 0x2020_2020_686F_7374 { return .host }  // host
    case 5:
      if tail == 0x2020_2072_616E_6765 { return .range }  // range
    case 6:
      if tail == 0x2020_6578_7065_6374 { return .expect }  // expect
      if tail == 0x2020_636F_6F6B_6965 { return .cookie }  // cookie
      if tail == 0x2020_6163_6365_7074 { return .accept }  // accept
      if tail == 0x2020_6F72_6967_696E { return .origin }  // origin
    case 7:
      if tail == 0x2075_7067_7261_6465 { return .upgrade }  // upgrade
    case 8:
      if tail == 0x6966_2D72_616E_6765 { return .ifRange }  // if-range
    case 9:
      if tail == 0x2D61_7069_2D6B_6579, word(bytes, start) == 0x782D_6170_692D_6B65 {
        return .xAPIKey
      }  // x-api-key
    case 10:
      if tail == 0x6E6E_6563_7469_6F6E, word(bytes, start) == 0x636F_6E6E_6563_7469 {
        return .connection
      }  // connection
      if tail == 0x6572_2D61_6765_6E74, word(bytes, start) == 0x7573_6572_2D61_6765 {
        return .userAgent
      }  // user-agent
    case 11:
      if tail == 0x6365_7061_7265_6E74, word(bytes, start) == 0x7472_6163_6570_6172 {
        return .traceparent
      }  // traceparent
    case 12:
      if tail == 0x656E_742D_7479_7065, word(bytes, start) == 0x636F_6E74_656E_742D {
        return .contentType
      }  // content-type
      if tail == 0x7175_6573_742D_6964, word(bytes, start) == 0x782D_7265_7175_6573 {
        return .xRequestID
      }  // x-request-id
    case 13:
      if tail == 0x7269_7A61_7469_6F6E, word(bytes, start) == 0x6175_7468_6F72_697A {
        return .authorization
      }  // authorization
      if tail == 0x6E65_2D6D_6174_6368, word(bytes, start) == 0x6966_2D6E_6F6E_652D {
        return .ifNoneMatch
      }  // if-none-match
    case 14:
      if tail == 0x742D_6C65_6E67_7468, word(bytes, start) == 0x636F_6E74_656E_742D {
        return .contentLength
      }  // content-length
    case 15:
      if tail == 0x656E_636F_6469_6E67, word(bytes, start) == 0x6163_6365_7074_2D65 {
        return .acceptEncoding
      }  // accept-encoding
    case 17:
      if tail == 0x656E_636F_6469_6E67, word(bytes, start) == 0x7472_616E_7366_6572,
        word(bytes, start &+ 8) == 0x2D65_6E63_6F64_696E
      {
        return .transferEncoding
      }  // transfer-encoding
      if tail == 0x636B_6574_2D6B_6579, word(bytes, start) == 0x7365_632D_7765_6273,
        word(bytes, start &+ 8) == 0x6F63_6B65_742D_6B65
      {
        return .secWebSocketKey
      }  // sec-websocket-key
      if tail == 0x6564_2D73_696E_6365, word(bytes, start) == 0x6966_2D6D_6F64_6966,
        word(bytes, start &+ 8) == 0x6965_642D_7369_6E63
      {
        return .ifModifiedSince
      }  // if-modified-since
    case 21:
      if tail == 0x2D76_6572_7369_6F6E, word(bytes, start) == 0x7365_632D_7765_6273,
        word(bytes, start &+ 8) == 0x6F63_6B65_742D_7665
      {
        return .secWebSocketVersion
      }  // sec-websocket-version
    case 22:
      if tail == 0x7072_6F74_6F63_6F6C, word(bytes, start) == 0x7365_632D_7765_6273,
        word(bytes, start &+ 8) == 0x6F63_6B65_742D_7072
      {
        return .secWebSocketProtocol
      }  // sec-websocket-protocol
    case 29:
      if tail == 0x742D_6D65_7468_6F64, word(bytes, start) == 0x6163_6365_7373_2D63,
        word(bytes, start &+ 8) == 0x6F6E_7472_6F6C_2D72,
        word(bytes, start &+ 16) == 0x6571_7565_7374_2D6D
      {
        return .accessControlRequestMethod
      }  // access-control-request-method
    default: break
    }
    return .other
  }

  private static var caseBits: UInt64 { 0x2020_2020_2020_2020 }

  /// The last eight bytes of the name, the final one lowest; zero above a short name.
  @inline(__always)
  private static func lastWord(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> UInt64 {
    if end &- start >= 8 { return ByteWord(bytes, at: end &- 8).asWritten }
    let unused = 8 &- (end &- start)
    if start &+ 8 <= bytes.count {
      return ByteWord(bytes, at: start).asWritten &>> UInt64(truncatingIfNeeded: unused &* 8)
    }
    var last: UInt64 = 0
    for index in start..<end { last = last &<< 8 | UInt64(bytes[index]) }
    return last
  }

  @inline(__always)
  private static func word(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
    ByteWord(bytes, at: offset).asWritten | caseBits
  }
}
