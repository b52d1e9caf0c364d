/// One hop's layer of a circuit: what the sender and the hop share, in both directions.
///
/// As Tor's relay cryptography (tor-spec, section 6.1) with ChaCha20 for AES-CTR, and a keyed tag of 16 bytes for its
/// running digest of four. Every payload that passes the hop takes the next number of its direction, which is the nonce
/// and goes into the tag: a payload that was altered, left out, repeated or moved makes this one and all after it
/// unreadable at the end, which then tears the circuit down.
///
/// What this does not prevent. Tagging: a first relay that alters a payload and a last one that sees garbage know that they
/// are on the same circuit; it costs them the circuit each time, and timing tells them the same for nothing. Timing: cells
/// are not delayed or mixed, so whoever watches both ends can match them by when they pass. Both are as in Tor.
struct CircuitLayer: Sendable {
  /// From the sender to the recipient.
  var forward: Direction
  /// From the recipient to the sender.
  var backward: Direction

  /// A layer of 128 bytes of keys: both tags, then both ciphers.
  init(keys: [UInt8]) {
    precondition(keys.count == 4 * 32)
    forward = Direction(tagKey: Array(keys[..<32]), cipherKey: Array(keys[64..<96]))
    backward = Direction(tagKey: Array(keys[32..<64]), cipherKey: Array(keys[96...]))
  }

  /// One direction of a layer.
  struct Direction: Sendable {
    private let tagKey: [UInt8]
    private let cipherKey: [UInt8]
    // Of the next payload; a circuit is worn out long before 2^64.
    private var number: UInt64 = 0

    init(tagKey: [UInt8], cipherKey: [UInt8]) {
      self.tagKey = tagKey
      self.cipherKey = cipherKey
    }

    /// Adds or takes off the layer of a payload that passes.
    mutating func pass(_ payload: [UInt8]) -> [UInt8] {
      defer { number += 1 }
      return ChaCha20.apply(payload, key: cipherKey, number: number)
    }

    /// Makes a payload for the other end of this layer, without the layer itself: `pass` follows.
    func tagged(_ content: RelayContent) -> [UInt8] {
      let bytes = content.bytes
      return tag(bytes) + bytes
    }

    /// Takes the layer off a payload that comes in.
    ///
    /// - Parameter payload: 512 bytes.
    /// - Returns: What is under the layer; and, where the other end of this layer has made it for this one, its content.
    mutating func open(_ payload: [UInt8]) -> (plain: [UInt8], content: [UInt8]?) {
      let plain = ChaCha20.apply(payload, key: cipherKey, number: number)
      let content = Array(plain[RelayContent.tagSize...])
      let isOwn = KeyDerivation.areEqual(Array(plain[..<RelayContent.tagSize]), tag(content))
      number += 1
      return (plain, isOwn ? content : nil)
    }

    private func tag(_ content: [UInt8]) -> [UInt8] {
      let message = NoiseSymmetricState.bytes(number) + content
      return Array(KeyDerivation.hmac(message, key: tagKey).prefix(RelayContent.tagSize))
    }
  }
}
