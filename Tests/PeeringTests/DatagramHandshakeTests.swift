import Peering
import Testing

@Suite("Datagrams: the handshake, and who is let in")
struct DatagramHandshakeTests {
  @Test("a first message is never shorter than its answer, and after three messages both can send")
  func handshake() {
    var pair = SessionPair()
    pair.open(asked: true)
    let first = SessionPair.datagrams(of: &pair.left)
    #expect(first.map(\.count) == [Datagram.firstSize])
    pair.giveRight(first[0])
    let second = SessionPair.datagrams(of: &pair.right)
    #expect(second.count == 1 && second[0].count <= Datagram.firstSize)
    #expect(!pair.right.sessions.isOpen(pair.left.id))
    pair.giveLeft(second[0])
    #expect(!pair.left.sessions.isOpen(pair.right.id))
    pair.settle()
    #expect(pair.left.told.contains(.connected(pair.right.id, pair.right.endpoint)))
    pair.left.sessions.send([1, 2], to: pair.right.id)
    pair.right.sessions.send([3], to: pair.left.id)
    pair.settle()
    #expect(pair.right.frames == [[1, 2]] && pair.left.frames == [[3]])
  }

  @Test("the longest second message still fits the bound")
  func longestSecond() { #expect(Datagram.secondLimit <= Datagram.firstSize) }

  @Test("a first message of another size gets no answer", arguments: [0, 2, 54, 511, 513, 1200])
  func sizes(_ size: Int) {
    var pair = SessionPair()
    pair.open()
    let first = SessionPair.datagrams(of: &pair.left)[0]
    let padding = [UInt8](repeating: 0, count: max(0, size - first.count))
    pair.giveRight(Array((first + padding).prefix(size)))
    #expect(pair.right.sessions.outputs.isEmpty)
    #expect(pair.right.sessions.drops[.malformed] == 1)
  }

  @Test("another version gets no answer", arguments: [0, 2, 255] as [UInt8])
  func version(_ version: UInt8) {
    var pair = SessionPair()
    pair.open()
    var first = SessionPair.datagrams(of: &pair.left)[0]
    first[0] = version
    pair.giveRight(first)
    #expect(pair.right.sessions.outputs.isEmpty)
  }

  @Test("who is not known gets the second message, and then silence")
  func unknown() {
    var pair = SessionPair(rightKnows: false)
    pair.open(asked: true)
    pair.run(20_000_000_000)
    #expect(!pair.right.sessions.isOpen(pair.left.id) && !pair.left.sessions.isOpen(pair.right.id))
    #expect(pair.left.told == [.refused(pair.right.endpoint, .noAnswer)])
    #expect(pair.right.told.isEmpty)
    #expect((pair.right.sessions.drops[.unknownPeer] ?? 0) >= 1)
  }

  @Test("an answer of a peer that this one does not know ends the handshake")
  func unknownAnswers() {
    var pair = SessionPair(leftKnows: false)
    pair.left.sessions.open(pair.right.endpoint, expecting: nil, isAsked: true, now: pair.time)
    pair.settle()
    #expect(pair.left.told == [.refused(pair.right.endpoint, .unknownPeer)])
    #expect(!pair.right.sessions.isOpen(pair.left.id))
  }

  @Test("another peer than the expected one is refused")
  func other() {
    var pair = SessionPair()
    let third = SimulatedNetwork.identity(3).id
    pair.left.sessions.open(pair.right.endpoint, expecting: third, isAsked: true, now: pair.time)
    pair.settle()
    #expect(pair.left.told == [.refused(pair.right.endpoint, .otherPeer)])
  }

  @Test("an invitation lets its bearer in, once")
  func invitation() {
    let secret = [UInt8](repeating: 5, count: PeerHandshake.invitationSize)
    var pair = SessionPair(leftKnows: false, rightKnows: false)
    pair.right.roster.invite(.init(digest: KeyDerivation.sha256(secret), expiresAt: .max))
    pair.open(asked: true, invitation: secret)
    pair.settle()
    #expect(pair.left.told.contains(.connected(pair.right.id, pair.right.endpoint)))
    #expect(pair.right.roster.isKnown(pair.left.id))
    var second = SessionPair(leftKnows: false, rightKnows: false)
    second.open(asked: true, invitation: secret)
    second.run(20_000_000_000)
    #expect(second.left.told == [.refused(second.right.endpoint, .noAnswer)])
  }

  @Test("the secret of the network lets in who has it, and nobody else")
  func network() {
    let secret = [UInt8](repeating: 9, count: 32)
    var pair = SessionPair(
      leftKnows: false,
      rightKnows: false,
      leftSecret: secret,
      rightSecret: secret
    )
    pair.left.sessions.open(pair.right.endpoint, expecting: nil, isAsked: true, now: pair.time)
    pair.settle()
    #expect(pair.left.told.contains(.connected(pair.right.id, pair.right.endpoint)))
    let wrong = [UInt8](repeating: 8, count: 32)
    var other = SessionPair(
      leftKnows: false,
      rightKnows: false,
      leftSecret: wrong,
      rightSecret: secret
    )
    other.left.sessions.open(other.right.endpoint, expecting: nil, isAsked: true, now: other.time)
    other.settle()
    #expect(other.left.told == [.refused(other.right.endpoint, .unknownPeer)])
  }

  @Test("whichever of the messages is lost once, the handshake ends well", arguments: 0..<4)
  func lost(_ lost: Int) {
    var pair = SessionPair()
    pair.open(asked: true)
    var number = 0
    for _ in 0..<400 where !pair.left.sessions.isOpen(pair.right.id) {
      for datagram in SessionPair.datagrams(of: &pair.left) {
        if number != lost { pair.giveRight(datagram) }
        number += 1
      }
      for datagram in SessionPair.datagrams(of: &pair.right) {
        if number != lost { pair.giveLeft(datagram) }
        number += 1
      }
      pair.run(50_000_000, carrying: false)
    }
    #expect(pair.left.sessions.isOpen(pair.right.id) && pair.right.sessions.isOpen(pair.left.id))
  }

  @Test("two that begin at once end with the same session for both directions")
  func simultaneous() {
    var pair = SessionPair()
    pair.open()
    pair.right.sessions.open(pair.left.endpoint, expecting: pair.left.id, now: pair.time)
    pair.settle()
    pair.left.told = []
    for _ in 0..<5 {
      pair.left.sessions.send([1], to: pair.right.id)
      pair.right.sessions.send([2], to: pair.left.id)
    }
    let toRight = SessionPair.datagrams(of: &pair.left)
    let toLeft = SessionPair.datagrams(of: &pair.right)
    for datagram in toRight { pair.giveRight(datagram) }
    for datagram in toLeft { pair.giveLeft(datagram) }
    #expect(pair.right.frames.count == 5 && pair.left.frames.count == 5)
    // The names in the datagrams are of one session: that which the lesser identity began.
    #expect(
      pair.left.sessions.current(pair.right.id)?.own
        == pair.right.sessions.current(pair.left.id)?.other
    )
    #expect(
      pair.left.sessions.current(pair.right.id)?.other
        == pair.right.sessions.current(pair.left.id)?.own
    )
  }

  @Test("first messages of one address are bounded, and those of many have to echo a cookie")
  func flood() {
    var pair = SessionPair()
    var settings = SessionSettings()
    settings.initiationLimit = 1000
    var answers = 0
    for index in 0..<300 {
      var asker = SessionPair.side(100 + index, settings)
      asker.sessions.open(pair.right.endpoint, expecting: nil, now: pair.time)
      let first = SessionPair.datagrams(of: &asker)[0]
      let from = SimulatedNetwork.endpoint(index < 100 ? 7 : 1000 + index)
      pair.giveRight(first, from: from)
      for datagram in SessionPair.datagrams(of: &pair.right) {
        #expect(datagram.count <= Datagram.firstSize)
        if datagram.count > 100 { answers += 1 }
      }
    }
    // 32 of the one address; the others are only told a cookie, as so many are open.
    #expect(answers == 32)
    pair.open(asked: true)
    pair.settle()
    #expect(pair.left.told.contains(.connected(pair.right.id, pair.right.endpoint)))
  }
}
