import Wire

/// A head read in two pieces must be the head read in one.
@c(LLVMFuzzerTestOneInput)
public func fuzzHead(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: start, count: count).span
  var whole = RequestHead()
  let expected = try? whole.parse(bytes, maxBytes: 4096, maxFields: 32)
  guard let length = expected ?? nil else { return 0 }
  precondition(length <= count && whole.targetRange.upperBound <= length)
  for line in whole.fields {
    precondition(line.name.upperBound < line.value.lowerBound + 1)
    precondition(line.value.upperBound + 2 <= length)
    for index in line.name { precondition(ASCII.isToken(bytes[index])) }
    for index in line.value { precondition(ASCII.isFieldContent(bytes[index])) }
  }
  var cut = RequestHead()
  let half = try? cut.parse(bytes.extracting(first: length / 2), maxBytes: 4096, maxFields: 32)
  precondition(half == .some(nil), "half a head was taken for a whole or refused")
  let rest = try? cut.parse(bytes, maxBytes: 4096, maxFields: 32)
  precondition(rest == length && cut.framing == whole.framing && cut.keepAlive == whole.keepAlive)
  precondition(cut.fields.count == whole.fields.count)
  _ = PercentCoding.decode(bytes, whole.pathRange)
  if let query = whole.queryRange { _ = try? QueryString.parse(bytes.extracting(query)) }
  _ = try? WebSocketHandshake(whole, bytes)
  for line in whole.fields {
    let value = bytes.extracting(line.value)
    _ = QualityList.acceptsGzip(bytes, line.value)
    _ = QualityList.prefersProblem(bytes, line.value)
    _ = ByteRange.parse(value, length: 1000)
    _ = MediaType.parse(value)
    _ = HTTPDate.parse(value)
    _ = Timestamp.parse(value)
    _ = Base64URL.decode(value)
  }
  return 0
}
