import Glibc
import Testing

@testable import Gateway

@Suite("Descriptors with one owner")
struct DescriptorTests {
  /// Two numbers of an open pipe.
  private func pipe() throws -> (read: CInt, write: CInt) {
    var ends: [CInt] = [0, 0]
    try #require(Glibc.pipe(&ends) == 0)
    return (ends[0], ends[1])
  }

  // The other end tells, not the number: another test may have been given the number meanwhile.
  private func isClosed(_ reader: CInt) -> Bool {
    var byte: UInt8 = 0
    _ = fcntl(reader, F_SETFL, O_NONBLOCK)
    return read(reader, &byte, 1) == 0
  }

  @Test func `are closed when their owner goes`() throws {
    let ends = try pipe()
    defer { close(ends.read) }
    do {
      let owner = Descriptor(adopting: ends.write)
      #expect(owner.raw == ends.write)
      #expect(!isClosed(ends.read))
    }
    #expect(isClosed(ends.read))
  }

  @Test func `a call goes on after signals and reports other errors by name`() throws {
    var results: [CInt] = [-EINTR, -EINTR, 5]
    #expect(try retrying("read") { results.removeFirst() } == 5)
    #expect(throws: SystemError(call: "read", code: EIO)) { try retrying("read") { -EIO } }
    #expect(SystemError(call: "read", code: EIO).description == "read: Input/output error")
  }
}
