import Testing

@testable import Peering

@Suite struct HTXFrameTests {
  private static func decode(_ bytes: [UInt8], step: Int) throws -> [HTXFrame] {
    var decoder = HTXFrameDecoder()
    var frames: [HTXFrame] = []
    for start in stride(from: 0, to: bytes.count, by: step) {
      decoder.append(Array(bytes[start..<min(bytes.count, start + step)]))
      while let frame = try decoder.next() { frames.append(frame) }
    }
    return frames
  }

  @Test(
    "A frame is three bytes of length, the stream as LEB128, its type, and the payload",
    arguments: [
      (0, "00 00 02 00 00 aa bb"), (1, "00 00 02 01 00 aa bb"), (127, "00 00 02 7f 00 aa bb"),
      (128, "00 00 02 80 01 00 aa bb"), (300, "00 00 02 ac 02 00 aa bb"),
      (16_384, "00 00 02 80 80 01 00 aa bb"), (268_435_455, "00 00 02 ff ff ff 7f 00 aa bb"),
    ] as [(UInt32, String)]
  )
  func layout(stream: UInt32, bytes: String) throws {
    let frame = HTXFrame(stream: stream, kind: .data, payload: [0xAA, 0xBB])
    #expect(frame.bytes == hex(bytes))
    #expect(try Self.decode(hex(bytes), step: 1) == [frame])
  }

  @Test(
    "Frames come out the same, in whatever pieces they come in",
    arguments: [1, 2, 3, 7, 100, 1 << 20]
  )
  func pieces(step: Int) throws {
    let frames = HTXFrame.Kind.allCases.enumerated().map { index, kind in
      HTXFrame(
        stream: UInt32(index) * 100_000,
        kind: kind,
        payload: [UInt8](repeating: 1, count: index * 40)
      )
    }
    #expect(try Self.decode(frames.flatMap(\.bytes), step: step) == frames)
  }

  @Test("The longest payload is read; one byte more is refused before it has come")
  func limit() throws {
    let payload = [UInt8](repeating: 1, count: HTXFrame.payloadLimit)
    let frame = HTXFrame(stream: 5, kind: .data, payload: payload)
    #expect(try Self.decode(frame.bytes, step: 9999) == [frame])
    #expect(throws: MalformedPacket.self) { _ = try Self.decode([1, 0, 1], step: 3) }
  }

  @Test("A stream of more than 28 bits, and one in more bytes than it needs, are refused")
  func streams() {
    for bytes in ["00 00 00 80 80 80 80", "00 00 00 80 00 00", "00 00 00 ff 80 00 00"] {
      #expect(throws: MalformedPacket.self) { _ = try Self.decode(hex(bytes), step: 1) }
    }
  }

  @Test(
    "Types without a use are refused by name of their number",
    arguments: [4, 6, 8, 255] as [UInt8]
  )
  func types(type: UInt8) {
    #expect(
      throws: MalformedPacket("has a frame of type \(type), which has no use here")
    ) { _ = try Self.decode([0, 0, 0, 0, type], step: 1) }
  }

  @Test("A frame cut anywhere is no frame yet")
  func cut() throws {
    let bytes = HTXFrame(stream: 300, kind: .ping, payload: [1, 2, 3]).bytes
    for count in bytes.indices {
      #expect(try Self.decode(Array(bytes[..<count]), step: 100) == [])
    }
  }

  @Test("The control of a call survives the wire, and is refused cut or lengthened")
  func control() throws {
    let controls: [CallControl] = [
      .request(method: String(repeating: "m", count: 64), json: CallContent.jsonLimit, bytes: 0),
      .answer(json: 0, bytes: CallContent.bytesLimit),
      .refusal(CallRefusal(code: "NO", message: "Ü")), .cancel,
    ]
    for control in controls {
      let payload = control.payload
      #expect(try CallControl(payload) == control)
      for count in payload.indices {
        #expect(throws: MalformedPacket.self) { _ = try CallControl(Array(payload[..<count])) }
      }
      #expect(throws: MalformedPacket.self) { _ = try CallControl(payload + [0]) }
    }
    let tooLarge: [CallControl] = [
      .request(method: "a", json: CallContent.jsonLimit + 1, bytes: 0),
      .answer(json: 0, bytes: CallContent.bytesLimit + 1),
      .request(method: "A", json: 0, bytes: 0), .request(method: "", json: 0, bytes: 0),
      .request(method: String(repeating: "m", count: 65), json: 0, bytes: 0),
    ]
    for control in tooLarge {
      #expect(throws: MalformedPacket.self) { _ = try CallControl(control.payload) }
    }
  }

  @Test("A refusal is cut to its limits between characters")
  func refusal() {
    let refusal = CallRefusal(
      code: String(repeating: "C", count: 100),
      message: String(repeating: "ü", count: 300)
    )
    #expect(refusal.code.utf8.count == 64 && refusal.message.utf8.count == 512)
    #expect(CallRefusal(code: "", message: "x" + refusal.message).message.utf8.count == 511)
  }
}
