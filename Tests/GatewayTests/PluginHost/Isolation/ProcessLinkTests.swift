import CLinux
import Glibc
import Testing

@testable import Gateway

@Suite("The two ends of a link") struct ProcessLinkTests {
  static func pair() throws -> (gateway: ProcessLink, guest: ProcessLink) {
    var ends: [CInt] = [0, 0]
    try #require(linux_socket_pair(&ends) == 0)
    let theirs = Descriptor(adopting: ends[1])
    return (
      try ProcessLink(Descriptor(adopting: ends[0]), isGateway: true),
      try ProcessLink(theirs, isGateway: false)
    )
  }

  @Test func `two ends that both send far more than the socket holds do not wait for each other`()
    throws
  {
    let (gateway, guest) = try Self.pair()
    let bytes = [UInt8](repeating: 7, count: 1 << 20)
    for _ in 0..<16 {
      gateway.send(.body) { $0.add(bytes) }
      guest.send(.write) { $0.add(bytes) }
    }
    let received = Monitor(0)
    try HostThread(name: "other end") {
      for _ in 0..<16 where gateway.next()?.payload.count == bytes.count + 4 {
        received.withLock { $0 += 1 }
      }
      received.wakeAll()
      _ = gateway.next()
    }.detach()
    for _ in 0..<16 { #expect(guest.next()?.payload.count == bytes.count + 4) }
    // The other end still has to be sent what waits in this one's outbox: reading on does that.
    try HostThread(name: "reads on") { _ = guest.next() }.detach()
    let all: Bool? = received.wait(until: MonotonicClock.now + 10_000_000_000) {
      $0 == 16 ? true : nil
    }
    #expect(all == true)
    gateway.close()
  }

  @Test func `frames come in order from many threads, each whole`() throws {
    let (gateway, guest) = try Self.pair()
    for thread in 0..<4 {
      try HostThread(name: "sender") {
        for number in 0..<500 {
          gateway.send(.event) { frame in
            frame.add(UInt32(thread))
            frame.add(UInt32(number))
          }
        }
      }.detach()
    }
    try HostThread(name: "flushes") { _ = gateway.next() }.detach()
    var next = [UInt32](repeating: 0, count: 4)
    for _ in 0..<2000 {
      let frame = try #require(guest.next())
      let (thread, number) = try frame.read { (reader) throws(LinkFrame.Fault) in
        (Int(try reader.number(UInt32.self)), try reader.number(UInt32.self))
      }
      #expect(number == next[thread])
      next[thread] += 1
    }
    gateway.close()
  }

  @Test func `a malformed frame ends the link and says why`() throws {
    let (gateway, guest) = try Self.pair()
    guest.send([0, 0, 0, 0, 250])
    #expect(gateway.next() == nil)
    #expect(gateway.fault == .unknownKind(250))
    #expect(gateway.next() == nil)
    #expect(guest.next() == nil)
    #expect(guest.fault == nil)
  }

  @Test func `an end that is gone ends the reading, and what is sent goes nowhere`() throws {
    let (gateway, guest) = try Self.pair()
    gateway.close()
    #expect(guest.next() == nil)
    guest.send(.pong) { _ in }
    #expect(gateway.next() == nil)
  }
}
