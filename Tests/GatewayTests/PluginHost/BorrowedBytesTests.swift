import CGatewayPlugin
import Testing

@testable import Gateway

@Suite("Bytes across the boundary")
struct BorrowedBytesTests {
  // The contract: the host calls release exactly once, also after a failed call.
  @Test(arguments: [0, 3]) func `an owner gets its bytes back, also when there are none`(
    _ count: Int
  ) {
    var released = 0
    let bytes: [UInt8] = [1, 2, 3]
    bytes.withUnsafeBufferPointer { bytes in
      withUnsafeMutablePointer(to: &released) { released in
        gw_buffer(
          bytes: gw_bytes(start: count == 0 ? nil : bytes.baseAddress, count: count),
          release: { owner, _, _ in owner?.assumingMemoryBound(to: Int.self).pointee += 1 },
          owner: UnsafeMutableRawPointer(released)
        ).giveBack()
      }
    }
    #expect(released == 1)
  }

  @Test func `text is UTF-8 or none, and a count without bytes is malformed`() {
    #expect(withLent("ü") { $0.text } == "ü")
    #expect(withLent([0xFF] as [UInt8]) { $0.text } == nil)
    #expect(gw_bytes.empty.text == "" && !gw_bytes.empty.isMalformed)
    let malformed = gw_bytes(start: nil, count: 1)
    #expect(malformed.isMalformed && malformed.text == nil && malformed.copied.isEmpty)
  }
}
