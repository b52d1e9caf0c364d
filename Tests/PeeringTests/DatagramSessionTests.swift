import Peering
import Testing

@Suite("Datagrams: after the handshake")
struct DatagramSessionTests {
  private static func open(_ settings: SessionSettings = SessionSettings()) -> SessionPair {
    var pair = SessionPair(settings: settings)
    pair.open()
    pair.settle()
    return pair
  }

  @Test("what comes twice is taken once, in any order")
  func replay() {
    var pair = Self.open()
    for number in 0..<100 { pair.left.sessions.send([UInt8(number)], to: pair.right.id) }
    let datagrams = SessionPair.datagrams(of: &pair.left)
    for datagram in datagrams.reversed() + datagrams { pair.giveRight(datagram) }
    #expect(pair.right.frames.map { $0[0] } == (0..<100).reversed())
    #expect(pair.right.sessions.drops[.replay] == 100)
  }

  @Test("a changed byte anywhere makes a datagram worthless")
  func forged() {
    var pair = Self.open()
    pair.left.sessions.send(Array("a frame".utf8), to: pair.right.id)
    let datagram = SessionPair.datagrams(of: &pair.left)[0]
    for index in datagram.indices {
      var changed = datagram
      changed[index] ^= 1
      pair.giveRight(changed)
    }
    #expect(pair.right.frames.isEmpty)
    pair.giveRight(datagram)
    #expect(pair.right.frames == [Array("a frame".utf8)])
  }

  @Test("no datagram cut anywhere is taken or ends anything")
  func cut() {
    var pair = SessionPair()
    pair.open()
    let first = SessionPair.datagrams(of: &pair.left)[0]
    for count in 0..<first.count { pair.giveRight(Array(first.prefix(count))) }
    pair.giveRight(first)
    let second = SessionPair.datagrams(of: &pair.right)[0]
    for count in 0..<second.count { pair.giveLeft(Array(second.prefix(count))) }
    pair.giveLeft(second)
    let third = SessionPair.datagrams(of: &pair.left)[0]
    for count in 0..<third.count { pair.giveRight(Array(third.prefix(count))) }
    pair.giveRight(third)
    pair.settle()
    pair.left.sessions.send([1], to: pair.right.id)
    let data = SessionPair.datagrams(of: &pair.left)[0]
    for count in 0..<data.count { pair.giveRight(Array(data.prefix(count))) }
    #expect(pair.right.frames.isEmpty)
    pair.giveRight(data)
    #expect(pair.right.frames == [[1]])
  }

  @Test("random bytes of every kind change nothing")
  func random() {
    var pair = Self.open()
    var random = SeededRandom(seed: 9)
    for number in 0..<20_000 {
      var bytes = (0..<Int.random(in: 0...600, using: &random)).map { _ in
        UInt8.random(in: 0...255, using: &random)
      }
      if bytes.count >= 2 {
        bytes[0] = 1
        bytes[1] = UInt8(number % 9)
      }
      if bytes.count >= 6, number % 2 == 0, let names = pair.right.sessions.current(pair.left.id) {
        for shift in 0..<4 {
          bytes[2 + shift] = UInt8(truncatingIfNeeded: names.own >> (24 - 8 * shift))
        }
      }
      pair.giveRight(bytes)
      _ = SessionPair.datagrams(of: &pair.right)
    }
    #expect(pair.right.frames.isEmpty)
    pair.left.sessions.send([1], to: pair.right.id)
    pair.settle()
    #expect(pair.right.frames == [[1]])
  }

  @Test(
    "a peer is answered where its last authentic datagram came from, and not for a forged or old one"
  )
  func roaming() {
    var pair = Self.open()
    let elsewhere = SimulatedNetwork.endpoint(77)
    pair.left.sessions.send([1], to: pair.right.id)
    pair.left.sessions.send([2], to: pair.right.id)
    let datagrams = SessionPair.datagrams(of: &pair.left)
    var forged = datagrams[1]
    forged[20] ^= 1
    pair.giveRight(forged, from: elsewhere)
    #expect(pair.right.sessions.endpoint(of: pair.left.id) == pair.left.endpoint)
    pair.giveRight(datagrams[1], from: elsewhere)
    #expect(pair.right.sessions.endpoint(of: pair.left.id) == elsewhere)
    // One that was overtaken says nothing of where the peer is now.
    pair.giveRight(datagrams[0], from: pair.left.endpoint)
    #expect(pair.right.sessions.endpoint(of: pair.left.id) == elsewhere)
    #expect(pair.right.frames == [[2], [1]])
  }

  @Test("keys are replaced after their time, while frames go on")
  func rekey() throws {
    var settings = SessionSettings()
    settings.rekeyAfter = 10_000_000_000
    var pair = Self.open(settings)
    let before = try #require(pair.left.sessions.current(pair.right.id))
    var sent = 0
    for _ in 0..<30 {
      pair.run(1_000_000_000)
      pair.left.sessions.send([7], to: pair.right.id)
      pair.right.sessions.send([8], to: pair.left.id)
      sent += 1
      pair.settle()
    }
    let after = try #require(pair.left.sessions.current(pair.right.id))
    #expect(before.own != after.own)
    #expect(pair.right.frames.count == sent && pair.left.frames.count == sent)
    #expect((2...4).contains(pair.left.sessions.handshakes))
    // Nobody is told of a new peer for new keys.
    let opened = pair.left.told.filter { $0 == .opened(pair.right.id, isNew: true) }
    #expect(opened.count == 1)
  }

  @Test("keys are replaced after so many datagrams")
  func worn() {
    var settings = SessionSettings()
    settings.datagramLimit = 50
    var pair = Self.open(settings)
    for _ in 0..<60 { pair.left.sessions.send([1], to: pair.right.id) }
    pair.settle()
    pair.run(2_000_000_000)
    #expect(pair.left.sessions.handshakes == 2)
  }

  @Test("a session over which nothing comes ends")
  func idle() {
    var pair = Self.open()
    pair.run(301_000_000_000)
    #expect(!pair.left.sessions.isOpen(pair.right.id))
    #expect(pair.left.told.last == .closed(pair.right.id))
    let isSent = pair.left.sessions.send([1], to: pair.right.id)
    #expect(!isSent)
  }

  @Test("more packets or bytes than the limit are dropped, and others come through later")
  func rate() {
    var settings = SessionSettings()
    settings.packetRate = 10
    var pair = Self.open(settings)
    for _ in 0..<100 { pair.left.sessions.send([1], to: pair.right.id) }
    pair.settle()
    #expect(pair.right.frames.count <= 20)
    #expect((pair.right.sessions.drops[.rate] ?? 0) >= 80)
    pair.run(1_000_000_000)
    let before = pair.right.frames.count
    pair.left.sessions.send([2], to: pair.right.id)
    pair.settle()
    #expect(pair.right.frames.count == before + 1)
  }
}

@Suite("Datagrams: the window of numbers, and the bucket")
struct ReplayWindowTests {
  @Test("the oldest number inside the window is taken, the one before it is not")
  func edges() {
    var window = ReplayWindow()
    window.mark(10_000)
    let oldest = 10_000 - ReplayWindow.size + 1
    #expect(window.allows(oldest) && !window.allows(oldest - 1))
    window.mark(oldest)
    #expect(!window.allows(oldest))
    #expect(window.allows(10_001) && !window.allows(10_000))
  }

  @Test("every number of a long random walk is taken exactly once or is too old")
  func walk() {
    var window = ReplayWindow()
    var random = SeededRandom(seed: 3)
    var seen: Set<UInt64> = []
    var top: UInt64 = 0
    for _ in 0..<200_000 {
      let number = UInt64.random(in: (top < 3000 ? 0 : top - 3000)...top + 40, using: &random)
      let isOld = number <= top && top - number >= ReplayWindow.size
      #expect(window.allows(number) == (!isOld && !seen.contains(number)))
      guard window.allows(number) else { continue }
      window.mark(number)
      seen.insert(number)
      top = max(top, number)
    }
  }

  @Test("a jump past everything forgets nothing that it should know")
  func jump() {
    var window = ReplayWindow()
    for number in 0..<100 as Range<UInt64> { window.mark(number) }
    window.mark(1 << 40)
    #expect(!window.allows(1 << 40) && !window.allows(50) && window.allows((1 << 40) - 1))
    #expect(window.allows(.max))
  }

  @Test("a bucket gives its burst, then its rate")
  func bucket() {
    var bucket = TokenBucket(rate: 10, burst: 5)
    let taken = (0..<20).filter { _ in bucket.take(now: 1_000_000_000) }.count
    #expect(taken == 5)
    let later = (0..<2).map { _ in bucket.take(now: 1_100_000_000) }
    #expect(later == [true, false])
  }
}
