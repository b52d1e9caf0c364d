import Testing

@testable import Gateway

@Suite("Events on their way to WebSocket clients")
struct SocketHubTests {
  @Test func `events beyond 4 MiB wait for the loop to deliver some`() throws {
    let bench = try ServerBench()
    let post = EventPost(ends: [bench.server.end])
    let payload =
      Array("{\"x\":\"".utf8) + Array(repeating: 0x61, count: 1 << 20) + Array("\"}".utf8)
    for _ in 0..<4 {
      #expect(post.hasRoom)
      post.publish(topic: "t", subject: "", payload: payload)
    }
    #expect(!post.hasRoom)
    try bench.claimThread()
    #expect(post.hasRoom)
  }

  @Test func `events before there is a loop take no room`() {
    let post = EventPost(ends: [ServerEnd(index: 0)])
    let members = Array(repeating: UInt8(0x20), count: 5 << 20)
    post.publish(topic: "t", subject: "", payload: Array("{\"x\":1".utf8) + members + [0x7D])
    #expect(post.hasRoom)
  }

  @Test func `events after the loop was told to stop take no room`() throws {
    let bench = try ServerBench()
    let post = EventPost(ends: [bench.server.end])
    bench.server.end.detach()
    let payload =
      Array("{\"x\":\"".utf8) + Array(repeating: 0x61, count: 5 << 20) + Array("\"}".utf8)
    post.publish(topic: "t", subject: "", payload: payload)
    #expect(post.hasRoom)
  }
}
