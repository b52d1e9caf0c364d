/// The handshake between two peers, the same over datagrams and links: Noise XX, with records and proofs as payloads.
///
/// A record's signature ties the Noise key to the peer, and Noise proves that the other holds it. The prologue names the
/// version and the transport, so that neither can be talked down or mixed up: a differing side fails at the second
/// message.
package struct PeerHandshake: Sendable {
  /// What the handshake is for; part of the prologue.
  package enum Carrier: String, Sendable {
    case udp, tcp
  }

  /// Why the initiator should be let in when it is not known yet.
  package enum Proof: Sendable, Equatable {
    /// Nothing.
    case none
    /// The secret of an invitation, 16 bytes.
    case invitation([UInt8])
    /// It holds the secret of this peer's network.
    case network
  }

  /// Bytes of an invitation's secret.
  package static let invitationSize = 16
  /// The version that this build speaks.
  package static let version: UInt8 = 1

  private var noise: NoiseXX
  private let record: PeerRecord
  private let networkSecret: [UInt8]?
  private let invitation: [UInt8]?

  /// The other's record, once its message was read.
  package private(set) var remote: PeerRecord?
  /// The other's proof, once its message was read; an invitation is still to be looked up.
  package private(set) var proof = Proof.none

  /// Begins a handshake.
  ///
  /// - Parameters:
  ///   - isInitiator: Whether this side writes first.
  ///   - identity: Of this peer.
  ///   - record: Its current record.
  ///   - carrier: What carries the messages.
  ///   - networkSecret: Of the network, where the operator has set one.
  ///   - invitation: The secret of an invitation to be redeemed (initiator alone), 16 bytes.
  package init(
    isInitiator: Bool,
    identity: Identity,
    record: PeerRecord,
    carrier: Carrier,
    networkSecret: [UInt8]?,
    invitation: [UInt8]? = nil
  ) {
    noise = NoiseXX(
      isInitiator: isInitiator,
      own: identity.agreement,
      prologue: Array("aivillage/\(Self.version) \(carrier.rawValue)".utf8)
    )
    self.record = record
    self.networkSecret = networkSecret
    self.invitation = invitation
  }

  /// Whether all three messages have passed.
  package var isComplete: Bool { noise.isComplete }

  /// Makes the next message.
  ///
  /// The first has no payload: whoever asks learns nothing of this peer before it has named itself by a key.
  package mutating func write() throws(MalformedPacket) -> [UInt8] {
    if noise.messages == 0 { return try noise.write() }
    var writer = ByteWriter()
    record.write(to: &writer)
    if let invitation {
      writer.number(UInt8(1))
      writer.raw(invitation)
    } else if let networkSecret {
      writer.number(UInt8(2))
      writer.raw(Self.code(networkSecret, noise.handshakeHash, record.id))
    } else {
      writer.number(UInt8(0))
    }
    return try noise.write(writer.bytes)
  }

  /// Reads the other's next message.
  ///
  /// - Parameter message: As it came.
  /// - Throws: When it is malformed, forged, of another version, or of a record that is not the sender's.
  package mutating func read(_ message: [UInt8]) throws(MalformedPacket) {
    let isFirst = noise.messages == 0
    let hash = noise.handshakeHash
    let payload = try noise.read(message)
    if isFirst {
      guard payload.isEmpty else { throw MalformedPacket("has a payload in its first message") }
      return
    }
    var reader = ByteReader(payload)
    let record = try PeerRecord(from: &reader)
    guard record.agreementKey == noise.remoteKey else {
      throw MalformedPacket("has the record of another peer")
    }
    switch try reader.number(UInt8.self) {
    case 0: proof = .none
    case 1: proof = .invitation(try reader.raw(Self.invitationSize))
    case 2:
      let code = try reader.raw(32)
      if let networkSecret,
        KeyDerivation.areEqual(code, Self.code(networkSecret, hash, record.id))
      {
        proof = .network
      }
    default: throw MalformedPacket("has an unknown proof")
    }
    try reader.end()
    remote = record
  }

  /// The keys of what follows.
  ///
  /// - Returns: 32 bytes to send with and 32 to receive with.
  package func split() -> (send: [UInt8], receive: [UInt8]) { noise.split() }

  /// What only who holds the network's secret can say, in this handshake alone and of itself alone.
  private static func code(_ secret: [UInt8], _ hash: [UInt8], _ id: PeerID) -> [UInt8] {
    KeyDerivation.hmac(Array("aivillage network 1".utf8) + hash + id.bytes, key: secret)
  }
}
