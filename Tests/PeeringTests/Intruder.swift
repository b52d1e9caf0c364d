import Peering

/// A peer that is let in and then does what it likes.
struct Intruder {
  var side: SessionPair.Side
  let network: SimulatedNetwork
  let identity = SimulatedNetwork.identity(500)

  /// Joins a network of which peer 0 is attacked.
  init(_ network: SimulatedNetwork) {
    self.network = network
    side = SessionPair.side(500, SessionSettings())
    let record = side.sessions.record
    for peer in network.peers { peer.roster.restore(record) }
    side.roster.restore(network.peers[0].mesh.record)
    side.sessions.open(network.peers[0].endpoint, expecting: nil, now: network.now.monotonic)
    for _ in 0..<3 { exchange() }
  }

  /// Sends what it has to say, and reads the answers.
  mutating func exchange() {
    var answers: [[UInt8]] = []
    let own = side.endpoint
    network.tap = { bytes, _, to in
      if to == own { answers.append(bytes) }
      return true
    }
    for datagram in SessionPair.datagrams(of: &side) {
      network.with(0) {
        $0.mesh.receive(datagram, from: own, roster: &$0.roster, now: network.now)
      }
    }
    network.tap = nil
    for answer in answers {
      side.sessions.receive(
        answer,
        from: network.peers[0].endpoint,
        roster: &side.roster,
        now: network.now
      )
    }
  }

  mutating func send(_ frame: [UInt8]) {
    side.sessions.send(frame, to: network.peers[0].id)
    exchange()
  }

  /// A message that is whole and well made, for peer 0.
  func packet(
    by maker: Identity? = nil,
    attempt: UInt8 = 1,
    id: UInt8 = 1,
    timeOffset: Int64 = 0,
    sentOffset: Int64 = 0
  ) -> MeshPacket {
    let origin = maker ?? identity
    let to = network.peers[0]
    let id = [UInt8](repeating: id, count: 16)
    let message = PeerMessage(
      id: id,
      sender: origin.id,
      recipient: to.id,
      user: "",
      senderUser: "",
      kind: "chat",
      priority: 5,
      sentAt: UInt64(Int64(network.now.wall) + sentOffset),
      payload: [1, 2, 3]
    )
    var writer = ByteWriter()
    message.write(to: &writer)
    let sealed = SealedBody.seal(
      writer.bytes,
      id: id,
      origin: origin.id,
      recipient: to.id,
      agreementKey: to.identity.agreement.publicKey
    )
    return MeshPacket(
      origin,
      kind: .message,
      id: id,
      attempt: attempt,
      recipient: to.id,
      priority: 5,
      time: UInt64(Int64(network.now.wall) + timeOffset),
      body: sealed ?? []
    )
  }
}
