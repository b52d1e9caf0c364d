import Wire

/// Messages read byte by byte must be the messages read at once.
@c(LLVMFuzzerTestOneInput)
public func fuzzFrame(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = UnsafeBufferPointer(start: start, count: count).span
  let whole = assemble(bytes, step: max(count, 1))
  let cut = assemble(bytes, step: 1)
  precondition(whole.events == cut.events && whole.error == cut.error)
  return 0
}

private func assemble(
  _ bytes: Span<UInt8>,
  step: Int
) -> (events: [MessageAssembler.Event], error: MessageError?) {
  var assembler = MessageAssembler(maxMessageBytes: 1000)
  var events: [MessageAssembler.Event] = []
  var used = 0
  var arrived = 0
  while arrived < bytes.count {
    arrived = min(arrived + step, bytes.count)
    do throws(MessageError) {
      let piece = bytes.extracting(first: arrived)
      while case let event = try assembler.next(piece, from: &used), event != .needMore {
        events.append(event)
      }
    } catch {
      return (events, error)
    }
  }
  return (events, nil)
}
