import Testing
import Wire

@Suite("WebSocket frames of a server")
struct FrameWriterTests {
  @Test(
    arguments: [
      (0, [0x82, 0]), (125, [0x82, 125]), (126, [0x82, 126, 0, 126]),
      (65535, [0x82, 126, 255, 255]),
      (65536, [0x82, 127, 0, 0, 0, 0, 0, 1, 0, 0]),
    ] as [(Int, [UInt8])]
  )
  func `uses the shortest length`(_ length: Int, _ expected: [UInt8]) {
    var output: [UInt8] = []
    FrameWriter.writeHeader(.binary, payloadLength: length, to: &output)
    #expect(output == expected)
  }

  @Test func `writes whole messages`() {
    var output: [UInt8] = []
    FrameWriter.write(.text, "Hi".utf8, to: &output)
    #expect(output == [0x81, 2, 0x48, 0x69])
  }

  @Test func `cuts a reason between characters`() {
    var output: [UInt8] = []
    FrameWriter.writeClose(code: 1013, reason: "busy", to: &output)
    #expect(output == [0x88, 6, 0x03, 0xF5] + Array("busy".utf8))
    output = []
    FrameWriter.writeClose(code: 1000, reason: String(repeating: "é", count: 70), to: &output)
    #expect(output.count == 2 + 2 + 122)
    #expect(output[1] == 124)
  }
}
