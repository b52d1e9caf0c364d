/// Keys with one hop of a circuit, agreed through the hops before it: ntor (tor-spec, section 5.1.4) with its own names.
///
/// The sender stays unnamed; the hop is proven by its `agreementKey`, which its signed record ties to its identity. A request
/// that is sent again gives keys that only who made it can compute, for the hop's half is fresh each time: so a replay opens a
/// circuit of no use.
struct CircuitHandshake: Sendable {
  /// Identity, agreement key and fresh key.
  static let requestSize = PeerID.size + 2 * X25519.size
  /// Fresh key and proof.
  static let replySize = X25519.size + 32
  private static let name = "aivillage betanet ntor-x25519-sha256-1"

  private let id: PeerID
  private let agreementKey: [UInt8]
  private let ephemeral: X25519.KeyPair

  /// Begins with a hop; another ephemeral key than a fresh one in tests alone.
  init(with hop: PeerRecord, ephemeral: X25519.KeyPair = .random()) {
    id = hop.id
    agreementKey = hop.agreementKey
    self.ephemeral = ephemeral
  }

  /// What the hop gets.
  var request: [UInt8] { id.bytes + agreementKey + ephemeral.publicKey }

  /// Takes the hop's reply.
  ///
  /// - Parameter reply: `replySize` bytes, and anything after them.
  /// - Returns: The layer of the hop.
  /// - Throws: When someone else than the hop has made it.
  func finish(_ reply: [UInt8]) throws(MalformedPacket) -> CircuitLayer {
    var reader = ByteReader(reply)
    let other = try reader.raw(X25519.size)
    let proof = try reader.raw(32)
    guard let first = ephemeral.sharedSecret(with: other),
      let second = ephemeral.sharedSecret(with: agreementKey)
    else { throw MalformedPacket("has a key that allows no secret") }
    let secret =
      first + second + id.bytes + agreementKey + ephemeral.publicKey + other
      + Array(Self.name.utf8)
    let expected = Self.proof(secret, id, agreementKey, other, ephemeral.publicKey)
    guard KeyDerivation.areEqual(proof, expected) else {
      throw MalformedPacket("has a reply that is not the hop's")
    }
    return Self.layer(secret)
  }

  /// Answers a request.
  ///
  /// - Parameters:
  ///   - request: `requestSize` bytes, and anything after them.
  ///   - identity: Of this peer.
  ///   - ephemeral: Fresh; given in tests alone.
  /// - Returns: The reply, and the layer.
  /// - Throws: When it is malformed or meant for another peer.
  static func answer(
    _ request: [UInt8],
    _ identity: Identity,
    ephemeral: X25519.KeyPair = .random()
  ) throws(MalformedPacket) -> (reply: [UInt8], layer: CircuitLayer) {
    var reader = ByteReader(request)
    let id = try reader.peer()
    let key = try reader.raw(X25519.size)
    let other = try reader.raw(X25519.size)
    guard id == identity.id, key == identity.agreement.publicKey else {
      throw MalformedPacket("opens a circuit of another peer")
    }
    guard let first = ephemeral.sharedSecret(with: other),
      let second = identity.agreement.sharedSecret(with: other)
    else { throw MalformedPacket("has a key that allows no secret") }
    let secret =
      first + second + id.bytes + key + other + ephemeral.publicKey + Array(name.utf8)
    let proof = proof(secret, id, key, ephemeral.publicKey, other)
    return (ephemeral.publicKey + proof, layer(secret))
  }

  private static func proof(
    _ secret: [UInt8],
    _ id: PeerID,
    _ agreementKey: [UInt8],
    _ hopKey: [UInt8],
    _ senderKey: [UInt8]
  ) -> [UInt8] {
    let verify = KeyDerivation.hmac(secret, key: Array((name + ":verify").utf8))
    let input =
      verify + id.bytes + agreementKey + hopKey + senderKey + Array((name + "Server").utf8)
    return KeyDerivation.hmac(input, key: Array((name + ":mac").utf8))
  }

  private static func layer(_ secret: [UInt8]) -> CircuitLayer {
    let keys = KeyDerivation.hkdf(
      secret: secret,
      salt: Array((name + ":key_extract").utf8),
      info: Array((name + ":key_expand").utf8),
      count: 4 * 32
    )
    return CircuitLayer(keys: keys)
  }
}
