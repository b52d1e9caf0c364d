import Peering

/// Frames read byte by byte must be the frames read at once, and what is read and written again must be the same bytes.
@c(LLVMFuzzerTestOneInput)
public func fuzzPeering(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
  let bytes = Array(UnsafeBufferPointer(start: start, count: count))
  let whole = frames(bytes, step: max(count, 1))
  let cut = frames(bytes, step: 1)
  precondition(whole.frames == cut.frames && whole.error == cut.error)
  let written = whole.frames.flatMap(\.bytes)
  precondition(bytes.starts(with: written))
  again(bytes, PeerMessage.init(from:)) { $0.write(to: &$1) }
  again(bytes, PeerRecord.init(from:)) { $0.write(to: &$1) }
  again(bytes, Endpoint.init(from:)) { $0.write(to: &$1) }
  connection(bytes)
  return 0
}

private func frames(_ bytes: [UInt8], step: Int) -> (frames: [HTXFrame], error: MalformedPacket?) {
  var decoder = HTXFrameDecoder()
  var frames: [HTXFrame] = []
  do throws(MalformedPacket) {
    for start in stride(from: 0, to: bytes.count, by: step) {
      decoder.append(Array(bytes[start..<min(bytes.count, start + step)]))
      while let frame = try decoder.next() { frames.append(frame) }
    }
  } catch {
    return (frames, error)
  }
  return (frames, nil)
}

private func again<Value>(
  _ bytes: [UInt8],
  _ read: (inout ByteReader) throws(MalformedPacket) -> Value,
  _ write: (Value, inout ByteWriter) -> Void
) {
  var reader = ByteReader(bytes)
  guard let value = try? read(&reader) else { return }
  var writer = ByteWriter()
  write(value, &writer)
  precondition(writer.bytes == Array(bytes.dropLast(reader.remaining)))
}

/// What comes in place of a handshake ends the connection, or waits for more.
private func connection(_ bytes: [UInt8]) {
  let identity = Identity(seed: [UInt8](repeating: 1, count: 32))
  guard let endpoint = Endpoint(address: [127, 0, 0, 1], port: 1) else { return }
  let record = PeerRecord(identity, sequence: 1, endpoint: endpoint, name: "")
  let now = Moment(monotonic: 1, wall: 1)
  var overlay = Overlay(identity: identity, record: record, settings: OverlaySettings())
  var roster = Roster(own: identity.id, admitsIntroduced: false)
  overlay.opened(1, isInitiator: false, now: now)
  for byte in bytes { overlay.receive([byte], on: 1, roster: &roster, now: now) }
  precondition(overlay.linked.isEmpty && overlay.traffic.bytesIn <= UInt64(bytes.count))
}
