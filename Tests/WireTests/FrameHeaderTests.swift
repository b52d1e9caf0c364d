import Testing
import Wire

@Suite("WebSocket frame header, RFC 6455 §5")
struct FrameHeaderTests {
  static let wholeFrame: [UInt8] = [0x81, 0x85, 0x01, 0x02, 0x03, 0x04]
  static let longFrame: [UInt8] = [0x02, 0xFF, 0, 0, 0, 0, 0, 1, 0, 0, 9, 8, 7, 6]

  @Test(arguments: [wholeFrame, longFrame, [0x82, 0xFE, 0, 126, 1, 2, 3, 4]])
  func `asks for more at every cut, then reads the whole`(_ bytes: [UInt8]) throws {
    for count in 0..<bytes.count {
      let cut = Array(bytes.prefix(count))
      #expect(try withGuardedBytes(cut) { try FrameHeader.parse($0, limit: 65536) } == nil)
    }
    let parsed = try #require(try FrameHeader.parse(bytes.span, limit: 65536))
    #expect(parsed.length == bytes.count)
  }

  @Test func `reads every part`() throws {
    let short = try #require(try FrameHeader.parse(Self.wholeFrame.span, limit: 5)).header
    #expect(short.payloadLength == 5)
    #expect(short.isFinal)
    #expect(short.opcode == .text)
    #expect(short.maskingKey == 0x0102_0304)
    let long = try #require(try FrameHeader.parse(Self.longFrame.span, limit: 65536)).header
    #expect(long.payloadLength == 65536)
    #expect(!long.isFinal)
    #expect(long.opcode == .binary)
  }

  struct Refusal: CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let error: FrameError
  }

  @Test(arguments: [
    Refusal(testDescription: "reserved bit", bytes: [0xC1, 0x80], error: .reservedBits(0x40)),
    Refusal(testDescription: "opcode 3", bytes: [0x83, 0x80], error: .unknownOpcode(3)),
    Refusal(testDescription: "opcode 15", bytes: [0x8F, 0x80], error: .unknownOpcode(15)),
    Refusal(testDescription: "no mask", bytes: [0x81, 0x05], error: .unmasked),
    Refusal(testDescription: "ping of 126", bytes: [0x89, 0xFE], error: .controlTooLong(126)),
    Refusal(testDescription: "cut ping", bytes: [0x09, 0x80], error: .controlFragmented),
    Refusal(
      testDescription: "125 in two bytes",
      bytes: [0x81, 0xFE, 0, 125, 0, 0, 0, 0],
      error: .lengthNotMinimal
    ),
    Refusal(
      testDescription: "65535 in eight bytes",
      bytes: [0x81, 0xFF, 0, 0, 0, 0, 0, 0, 0xFF, 0xFF, 0, 0, 0, 0],
      error: .lengthNotMinimal
    ),
    Refusal(
      testDescription: "64 bits",
      bytes: [0x81, 0xFF] + Array(repeating: 0xFF, count: 12),
      error: .tooLong(limit: 5)
    ),
    Refusal(
      testDescription: "one over the limit",
      bytes: [0x81, 0x86, 0, 0, 0, 0],
      error: .tooLong(limit: 5)
    ),
  ])
  func `refuses what the peer may not send`(_ refusal: Refusal) {
    #expect(throws: refusal.error) { try FrameHeader.parse(refusal.bytes.span, limit: 5) }
    let isTooLong = refusal.error == .tooLong(limit: 5)
    #expect(refusal.error.closeCode == (isTooLong ? 1009 : 1002))
  }

  @Test func `the limit is for data, not for control frames`() throws {
    #expect(try FrameHeader.parse([0x89, 0xFD, 0, 0, 0, 0].span, limit: 5) != nil)
  }
}
