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
  /// The bytes need not be checked before: a name that is known consists of the bytes it is known by.
  ///
  /// - Parameters:
  ///   - bytes: What holds the name.
  ///   - start: The first byte of the name.
  ///   - end: The byte after the name.
  /// - Returns: The field, or `other`.
  @inline(__always)
  static func match(_ bytes: Span<UInt8>, _ start: Int, _ end: Int) -> KnownField {
    let count = end &- start
    if count > 8 {
      let last = word(bytes, end &- 8)
      return count <= 14
        ? matchMiddle(bytes, start, count, last) : matchLong(bytes, start, count, last)
    }
    guard count > 0 else { return .other }
    var name: UInt64 = 0
    if start &+ 8 <= bytes.count {
      name = word(bytes, start) &>> UInt64(truncatingIfNeeded: (8 &- count) &* 8)
    } else {
      for index in start..<end { name = name &<< 8 | UInt64(bytes[index]) }
    }
    return matchShort(name, count)
  }

  @inline(__always)
  private static func matchShort(_ last: UInt64, _ count: Int) -> KnownField {
    switch count {
    case 4:
      // host
      if last.isName(0x0000_0000_686F_7374) { return .host }
    case 5:
      // range
      if last.isName(0x0000_0072_616E_6765) { return .range }
    case 6:
      // expect
      if last.isName(0x0000_6578_7065_6374) { return .expect }
      // cookie
      if last.isName(0x0000_636F_6F6B_6965) { return .cookie }
      // accept
      if last.isName(0x0000_6163_6365_7074) { return .accept }
      // origin
      if last.isName(0x0000_6F72_6967_696E) { return .origin }
    case 7:
      // upgrade
      if last.isName(0x0075_7067_7261_6465) { return .upgrade }
    case 8:
      // if-range
      if last.isName(0x6966_2D72_616E_6765) { return .ifRange }
    default: break
    }
    return .other
  }

  @inline(__always)
  private static func matchMiddle(
    _ bytes: Span<UInt8>,
    _ start: Int,
    _ count: Int,
    _ last: UInt64
  ) -> KnownField {
    switch count {
    case 9:
      // x-api-key
      if last.isName(0x2D61_7069_2D6B_6579), word(bytes, start).isName(0x782D_6170_692D_6B65) {
        return .xAPIKey
      }
    case 10:
      // connection
      if last.isName(0x6E6E_6563_7469_6F6E), word(bytes, start).isName(0x636F_6E6E_6563_7469) {
        return .connection
      }
      // user-agent
      if last.isName(0x6572_2D61_6765_6E74), word(bytes, start).isName(0x7573_6572_2D61_6765) {
        return .userAgent
      }
    case 11:
      // traceparent
      if last.isName(0x6365_7061_7265_6E74), word(bytes, start).isName(0x7472_6163_6570_6172) {
        return .traceparent
      }
    case 12:
      // content-type
      if last.isName(0x656E_742D_7479_7065), word(bytes, start).isName(0x636F_6E74_656E_742D) {
        return .contentType
      }
      // x-request-id
      if last.isName(0x7175_6573_742D_6964), word(bytes, start).isName(0x782D_7265_7175_6573) {
        return .xRequestID
      }
    case 13:
      // authorization
      if last.isName(0x7269_7A61_7469_6F6E), word(bytes, start).isName(0x6175_7468_6F72_697A) {
        return .authorization
      }
      // if-none-match
      if last.isName(0x6E65_2D6D_6174_6368), word(bytes, start).isName(0x6966_2D6E_6F6E_652D) {
        return .ifNoneMatch
      }
    case 14:
      // content-length
      if last.isName(0x742D_6C65_6E67_7468), word(bytes, start).isName(0x636F_6E74_656E_742D) {
        return .contentLength
      }
    default: break
    }
    return .other
  }

  @inline(__always)
  private static func matchLong(
    _ bytes: Span<UInt8>,
    _ start: Int,
    _ count: Int,
    _ last: UInt64
  ) -> KnownField {
    switch count {
    case 15:
      // accept-encoding
      if last.isName(0x656E_636F_6469_6E67), word(bytes, start).isName(0x6163_6365_7074_2D65) {
        return .acceptEncoding
      }
    case 17:
      // transfer-encoding
      if last.isName(0x656E_636F_6469_6E67), word(bytes, start).isName(0x7472_616E_7366_6572),
        word(bytes, start &+ 8).isName(0x2D65_6E63_6F64_696E)
      {
        return .transferEncoding
      }
      // sec-websocket-key
      if last.isName(0x636B_6574_2D6B_6579), word(bytes, start).isName(0x7365_632D_7765_6273),
        word(bytes, start &+ 8).isName(0x6F63_6B65_742D_6B65)
      {
        return .secWebSocketKey
      }
      // if-modified-since
      if last.isName(0x6564_2D73_696E_6365), word(bytes, start).isName(0x6966_2D6D_6F64_6966),
        word(bytes, start &+ 8).isName(0x6965_642D_7369_6E63)
      {
        return .ifModifiedSince
      }
    case 21:
      // sec-websocket-version
      if last.isName(0x2D76_6572_7369_6F6E), word(bytes, start).isName(0x7365_632D_7765_6273),
        word(bytes, start &+ 8).isName(0x6F63_6B65_742D_7665)
      {
        return .secWebSocketVersion
      }
    case 22:
      // sec-websocket-protocol
      if last.isName(0x7072_6F74_6F63_6F6C), word(bytes, start).isName(0x7365_632D_7765_6273),
        word(bytes, start &+ 8).isName(0x6F63_6B65_742D_7072)
      {
        return .secWebSocketProtocol
      }
    case 29:
      // access-control-request-method
      if last.isName(0x742D_6D65_7468_6F64), word(bytes, start).isName(0x6163_6365_7373_2D63),
        word(bytes, start &+ 8).isName(0x6F6E_7472_6F6C_2D72),
        word(bytes, start &+ 16).isName(0x6571_7565_7374_2D6D)
      {
        return .accessControlRequestMethod
      }
    default: break
    }
    return .other
  }

  @inline(__always)
  private static func word(_ bytes: Span<UInt8>, _ offset: Int) -> UInt64 {
    ByteWord(bytes, at: offset).asWritten
  }
}

extension UInt64 {
  /// Whether eight bytes are those of `name`, given in small letters, in any case of letters.
  ///
  /// Only where `name` has a letter, which bit 0x40 tells, the case bit may differ. Setting that bit
  /// everywhere would take a CR for a `-`.
  @inline(__always)
  fileprivate func isName(_ name: UInt64) -> Bool {
    (self ^ name) & ~((name & 0x4040_4040_4040_4040) &>> 1) == 0
  }
}
