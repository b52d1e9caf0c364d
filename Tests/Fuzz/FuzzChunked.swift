import Wire

/// A body read byte by byte must be the body read at once.
@c(LLVMFuzzerTestOneInput)
public func fuzzChunked(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: start, count: count).span
  let whole = decode(bytes, step: max(count, 1))
  let cut = decode(bytes, step: 1)
  precondition(whole.body == cut.body && whole.error == cut.error && whole.used == cut.used)
  return 0
}

private func decode(
  _ bytes: Span<UInt8>,
  step: Int
) -> (body: [UInt8], error: ChunkError?, used: Int) {
  var decoder = ChunkedDecoder()
  var body: [UInt8] = []
  var used = 0
  while used < bytes.count {
    let piece = bytes.extracting(used..<min(used + step, bytes.count))
    var offset = 0
    while offset < piece.count {
      do throws(ChunkError) {
        switch try decoder.next(piece, from: &offset) {
        case .needMore: precondition(offset == piece.count)
        case .data(let range): for index in range { body.append(piece[index]) }
        case .end: return (body, nil, used + offset)
        }
      } catch {
        return (body, error, used + offset)
      }
    }
    used += offset
  }
  return (body, nil, used)
}
