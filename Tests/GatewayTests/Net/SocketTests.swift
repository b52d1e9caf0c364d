import Testing

@testable import Gateway

@Suite("Connected socket")
struct SocketTests {
  @Test func `is closed when the last holder lets go`() throws {
    let pair = try SocketPair()
    var first: Socket? = Socket(pair.surrenderNear())
    var second = first
    #expect(first?.raw ?? -1 >= 0)
    first = nil
    #expect(!pair.isEnded)
    #expect(second != nil)
    second = nil
    #expect(pair.isEnded)
  }
}
