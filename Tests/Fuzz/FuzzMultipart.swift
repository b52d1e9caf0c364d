import Wire

/// A form read byte by byte must be the form read at once.
@c(LLVMFuzzerTestOneInput)
public func fuzzMultipart(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: start, count: count).span
  let text = Array("multipart/form-data; boundary=b".utf8)
  guard let type = MediaType.parse(text.span) else { preconditionFailure("no media type") }
  let whole = receive(bytes, type, step: max(count, 1))
  let cut = receive(bytes, type, step: 1)
  precondition(whole.data == cut.data && whole.parts == cut.parts && whole.error == cut.error)
  return 0
}

private func receive(
  _ bytes: Span<UInt8>,
  _ type: MediaType,
  step: Int
) -> (parts: [MultipartParser.Part], data: [[UInt8]], error: MultipartError?) {
  var parts: [MultipartParser.Part] = []
  var data: [[UInt8]] = []
  do throws(MultipartError) {
    var parser = try MultipartParser(contentType: type, maxParts: 8, maxHeaderBytes: 256)
    var used = 0
    while used < bytes.count {
      let piece = bytes.extracting(used..<min(used + step, bytes.count))
      var offset = 0
      loop: while true {
        switch try parser.next(piece, from: &offset) {
        case .needMore, .end: break loop
        case .partBegin(let part):
          parts.append(part)
          data.append([])
        case .partData(let range): for index in range { data[data.count - 1].append(piece[index]) }
        case .partHeldBack(let held): data[data.count - 1] += held
        case .partEnd: break
        }
      }
      precondition(offset == piece.count)
      used += offset
    }
    try parser.finish()
  } catch {
    return (parts, data, error)
  }
  return (parts, data, nil)
}
