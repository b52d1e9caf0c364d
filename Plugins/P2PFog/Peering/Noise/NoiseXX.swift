/// The handshake Noise_XX_25519_ChaChaPoly_SHA256 (The Noise Protocol Framework, revision 34).
///
///     -> e
///     <- e, ee, s, es
///     -> s, se
///
/// One side calls `write`, `read`, `write`, the other `read`, `write`, `read`; after the third message both call `split`. Any
/// error ends the handshake: the value must not be used again.
package struct NoiseXX: Sendable {
  /// Bytes of the longest message (section 3).
  package static let messageLimit = 65_535
  private static let protocolName = Array("Noise_XX_25519_ChaChaPoly_SHA256".utf8)

  private let isInitiator: Bool
  private let own: X25519.KeyPair
  private let ephemeral: X25519.KeyPair
  private var symmetric: NoiseSymmetricState
  private var otherEphemeral: [UInt8] = []

  /// How many of the three messages have passed.
  package private(set) var messages = 0

  /// The other's static key, 32 bytes, proven; empty until its message was read.
  package private(set) var remoteKey: [UInt8] = []

  /// Begins a handshake.
  ///
  /// - Parameters:
  ///   - isInitiator: Whether this side writes first.
  ///   - own: The static key.
  ///   - prologue: What both sides must hold to be true; another one makes the second message fail.
  ///   - ephemeral: Fresh for every handshake; given in tests alone.
  package init(
    isInitiator: Bool,
    own: X25519.KeyPair,
    prologue: [UInt8],
    ephemeral: X25519.KeyPair = .random()
  ) {
    self.isInitiator = isInitiator
    self.own = own
    self.ephemeral = ephemeral
    symmetric = NoiseSymmetricState(protocolName: Self.protocolName)
    symmetric.mixHash(prologue)
  }

  /// The hash of all that was said, the same on both sides; what is bound to it belongs to this handshake alone.
  package var handshakeHash: [UInt8] { symmetric.hash }

  /// Whether all three messages have passed.
  package var isComplete: Bool { messages == 3 }

  /// Makes the next message.
  ///
  /// - Parameter payload: Readable by anyone in the first message, by whoever answered in the second, by the proven other
  ///   side alone in the third.
  /// - Returns: The message.
  /// - Throws: When the other's keys allow no secret.
  package mutating func write(_ payload: [UInt8] = []) throws(MalformedPacket) -> [UInt8] {
    precondition(messages < 3 && (messages == 1) != isInitiator, "it is the other side's turn")
    var message: [UInt8] = []
    if messages < 2 {
      message += ephemeral.publicKey
      symmetric.mixHash(ephemeral.publicKey)
    }
    if messages == 1 { try mix(ephemeral, otherEphemeral) }
    if messages > 0 {
      message += symmetric.encryptAndHash(own.publicKey)
      try mix(own, otherEphemeral)
    }
    message += symmetric.encryptAndHash(payload)
    messages += 1
    return message
  }

  /// Reads the other's next message.
  ///
  /// - Parameter message: As it came.
  /// - Returns: Its payload.
  /// - Throws: When it is malformed, forged, or of another prologue.
  package mutating func read(_ message: [UInt8]) throws(MalformedPacket) -> [UInt8] {
    precondition(messages < 3 && (messages == 1) == isInitiator, "it is this side's turn")
    guard message.count <= Self.messageLimit else {
      throw MalformedPacket("is too long for a handshake")
    }
    var reader = ByteReader(message)
    if messages < 2 {
      otherEphemeral = try reader.raw(X25519.size)
      symmetric.mixHash(otherEphemeral)
    }
    if messages == 1 { try mix(ephemeral, otherEphemeral) }
    if messages > 0 {
      remoteKey = try symmetric.decryptAndHash(try reader.raw(X25519.size + ChaChaPoly.tagSize))
      try mix(ephemeral, remoteKey)
    }
    let payload = try symmetric.decryptAndHash(reader.rest())
    messages += 1
    return payload
  }

  /// The keys of the transport that follows.
  ///
  /// - Returns: 32 bytes to send with and 32 to receive with.
  package func split() -> (send: [UInt8], receive: [UInt8]) {
    precondition(isComplete)
    let (first, second) = symmetric.split()
    return isInitiator ? (first, second) : (second, first)
  }

  private mutating func mix(_ pair: X25519.KeyPair, _ publicKey: [UInt8]) throws(MalformedPacket) {
    guard let secret = pair.sharedSecret(with: publicKey) else {
      throw MalformedPacket("has a key that allows no secret")
    }
    symmetric.mixKey(secret)
  }
}
