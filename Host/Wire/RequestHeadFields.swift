extension RequestHead {
  /// Takes from a field what it says about this message and this connection.
  mutating func interpret(_ bytes: Span<UInt8>, _ line: FieldLine) throws(HeadError) {
    switch line.known {
    case .host:
      guard !has(.host) else { throw .repeatedHost }
      guard HostName.isValid(bytes, line.value) else { throw .invalidHost }
      // RFC 9112 §3.2.2: an absolute target overrides the field.
      if hostRange == nil { hostRange = line.value }
    case .contentLength:
      guard !has(.contentLength) else { throw .repeatedContentLength }
      guard !has(.transferEncoding) else { throw .conflictingLengths }
      framing = .length(try Self.contentLength(bytes, line.value))
    case .transferEncoding:
      guard minorVersion == 1 else { throw .transferEncodingInHTTP10 }
      guard !has(.transferEncoding) else { throw .repeatedTransferEncoding }
      guard !has(.contentLength) else { throw .conflictingLengths }
      guard ASCII.isEqual(bytes, line.value, "chunked") else { throw .unknownTransferCoding }
      framing = .chunked
    case .expect:
      guard minorVersion == 1 else { return }  // RFC 9110 §10.1.1: ignored in HTTP/1.0
      guard ASCII.isEqual(bytes, line.value, "100-continue") else { throw .unknownExpectation }
      expectsContinue = true
    case .connection: interpretConnection(bytes, line.value)
    case .upgrade:
      var list = FieldList(line.value)
      while let element = list.next(bytes) {
        if ASCII.isEqual(bytes, element, "websocket") { namesWebSocket = true }
      }
    default: break
    }
  }

  private mutating func interpretConnection(_ bytes: Span<UInt8>, _ value: Range<Int>) {
    var list = FieldList(value)
    while let element = list.next(bytes) {
      switch element.count {
      case 5: if ASCII.isEqual(bytes, element, "close") { asksForClose = true }
      case 7: if ASCII.isEqual(bytes, element, "upgrade") { asksForUpgrade = true }
      case 10: if ASCII.isEqual(bytes, element, "keep-alive") { asksForKeepAlive = true }
      default: break
      }
    }
  }

  /// A number of digits only: no sign, no list, no space (RFC 9110 §8.6).
  private static func contentLength(
    _ bytes: Span<UInt8>,
    _ range: Range<Int>
  ) throws(HeadError) -> UInt64 {
    guard 1...19 ~= range.count else { throw .invalidContentLength }  // 19 digits cannot overflow
    var value: UInt64 = 0
    for index in range {
      guard ASCII.isDigit(bytes[index]) else { throw .invalidContentLength }
      value = value &* 10 &+ UInt64(bytes[index] &- 0x30)
    }
    return value
  }
}
