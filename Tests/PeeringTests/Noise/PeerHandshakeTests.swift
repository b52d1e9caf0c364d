import Testing

@testable import Peering

@Suite struct PeerHandshakeTests {
  private static let alice = Identity(seed: [UInt8](repeating: 1, count: 32))
  private static let bob = Identity(seed: [UInt8](repeating: 2, count: 32))
  private static let secret = [UInt8](repeating: 5, count: 32)

  private static func record(_ identity: Identity) -> PeerRecord {
    guard let endpoint = Endpoint(text: "127.0.0.1:7946") else { preconditionFailure() }
    return PeerRecord(identity, sequence: 1, endpoint: endpoint, name: "peer")
  }

  private static func side(
    _ isInitiator: Bool,
    _ identity: Identity,
    record: PeerRecord? = nil,
    carrier: PeerHandshake.Carrier = .tcp,
    secret: [UInt8]? = nil,
    invitation: [UInt8]? = nil
  ) -> PeerHandshake {
    PeerHandshake(
      isInitiator: isInitiator,
      identity: identity,
      record: record ?? Self.record(identity),
      carrier: carrier,
      networkSecret: secret,
      invitation: invitation
    )
  }

  private static func shake(_ first: inout PeerHandshake, _ second: inout PeerHandshake) throws {
    try second.read(try first.write())
    try first.read(try second.write())
    try second.read(try first.write())
  }

  @Test("Both sides end with the other's record and each other's keys")
  func completes() throws {
    var first = Self.side(true, Self.alice)
    var second = Self.side(false, Self.bob)
    try Self.shake(&first, &second)
    #expect(first.isComplete && second.isComplete)
    #expect(first.remote?.id == Self.bob.id && second.remote?.id == Self.alice.id)
    #expect(first.proof == .none && second.proof == .none)
    #expect(first.split().send == second.split().receive)
    #expect(first.split().receive == second.split().send)
    #expect(first.split().send != first.split().receive)
  }

  @Test("Another carrier fails at the second message")
  func carrier() throws {
    var first = Self.side(true, Self.alice, carrier: .udp)
    var second = Self.side(false, Self.bob, carrier: .tcp)
    try second.read(try first.write())
    let answer = try second.write()
    #expect(throws: MalformedPacket("is not authentic")) { try first.read(answer) }
  }

  @Test("Another version in the prologue fails at the second message")
  func version() throws {
    var old = NoiseXX(
      isInitiator: true,
      own: Self.alice.agreement,
      prologue: Array("aivillage/0 tcp".utf8)
    )
    var second = Self.side(false, Self.bob)
    try second.read(try old.write())
    let answer = try second.write()
    #expect(throws: MalformedPacket("is not authentic")) { _ = try old.read(answer) }
  }

  @Test("A record of another peer than the handshake's key is refused")
  func stolenRecord() throws {
    var first = Self.side(true, Self.alice, record: Self.record(.random()))
    var second = Self.side(false, Self.bob)
    try second.read(try first.write())
    try first.read(try second.write())
    let last = try first.write()
    #expect(throws: MalformedPacket("has the record of another peer")) { try second.read(last) }
  }

  @Test("The third message of one handshake is worth nothing in another")
  func replayed() throws {
    var first = Self.side(true, Self.alice)
    var second = Self.side(false, Self.bob)
    let opening = try first.write()
    try second.read(opening)
    try first.read(try second.write())
    let last = try first.write()
    try second.read(last)
    var again = Self.side(false, Self.bob)
    try again.read(opening)
    _ = try again.write()
    #expect(throws: MalformedPacket("is not authentic")) { try again.read(last) }
  }

  @Test("A payload in the first message is refused")
  func earlyPayload() throws {
    var noise = NoiseXX(
      isInitiator: true,
      own: Self.alice.agreement,
      prologue: Array("aivillage/1 tcp".utf8)
    )
    var second = Self.side(false, Self.bob)
    let opening = try noise.write([1])
    #expect(throws: MalformedPacket("has a payload in its first message")) {
      try second.read(opening)
    }
  }

  @Test("Who holds the network's secret proves it, in both directions")
  func networkProof() throws {
    var first = Self.side(true, Self.alice, secret: Self.secret)
    var second = Self.side(false, Self.bob, secret: Self.secret)
    try Self.shake(&first, &second)
    #expect(first.proof == .network && second.proof == .network)
  }

  @Test("Another secret, or none, proves nothing")
  func wrongProof() throws {
    for secret in [nil, [UInt8](repeating: 6, count: 32), Array(Self.secret.dropLast())] {
      var first = Self.side(true, Self.alice, secret: secret)
      var second = Self.side(false, Self.bob, secret: Self.secret)
      try Self.shake(&first, &second)
      #expect(first.proof == .none && second.proof == .none)
    }
  }

  /// What an initiator without the secret sends in place of its own proof.
  private static func forgedLast(_ payload: ([UInt8]) -> [UInt8]) throws -> PeerHandshake {
    var first = NoiseXX(
      isInitiator: true,
      own: alice.agreement,
      prologue: Array("aivillage/1 tcp".utf8)
    )
    var second = side(false, bob, secret: secret)
    try second.read(try first.write())
    _ = try first.read(try second.write())
    try second.read(try first.write(payload(first.handshakeHash)))
    return second
  }

  private static func code(_ hash: [UInt8], _ id: PeerID) -> [UInt8] {
    KeyDerivation.hmac(Array("aivillage network 1".utf8) + hash + id.bytes, key: secret)
  }

  @Test("A network proof of another handshake, or of another peer, proves nothing")
  func foreignProof() throws {
    let record = Self.record(Self.alice).bytes
    let right = try Self.forgedLast { record + [2] + Self.code($0, Self.alice.id) }
    #expect(right.proof == .network)
    let another = try Self.forgedLast { _ in
      record + [2] + Self.code([UInt8](repeating: 1, count: 32), Self.alice.id)
    }
    #expect(another.proof == .none)
    let other = try Self.forgedLast { record + [2] + Self.code($0, Self.bob.id) }
    #expect(other.proof == .none)
  }

  @Test("A proof that is cut, unknown, or has something behind it is refused")
  func malformedProof() throws {
    let record = Self.record(Self.alice).bytes
    let payloads: [[UInt8]] = [
      record, record + [3], record + [0, 0], record + [1] + [UInt8](repeating: 1, count: 15),
      record + [1] + [UInt8](repeating: 1, count: 17),
      record + [2] + [UInt8](repeating: 1, count: 31),
      Array(record.dropLast()), [],
    ]
    for payload in payloads {
      #expect(throws: MalformedPacket.self) { _ = try Self.forgedLast { _ in payload } }
    }
  }

  @Test("An invitation arrives as it was given")
  func invitation() throws {
    let invitation = [UInt8](repeating: 8, count: 16)
    var first = Self.side(true, Self.alice, secret: Self.secret, invitation: invitation)
    var second = Self.side(false, Self.bob)
    try Self.shake(&first, &second)
    #expect(second.proof == .invitation(invitation))
  }

  @Test("Neither identity, name nor invitation stands readable in the messages")
  func hidden() throws {
    let invitation = Array("sixteen letters!".utf8)
    var first = Self.side(true, Self.alice, invitation: invitation)
    var second = Self.side(false, Self.bob)
    var wire = try first.write()
    try second.read(wire)
    let answer = try second.write()
    try first.read(answer)
    let last = try first.write()
    try second.read(last)
    wire += answer + last
    for secret in [Self.alice.id.bytes, Self.bob.id.bytes, invitation, Array("peer".utf8)] {
      #expect(!wire.contains(secret))
    }
  }
}
