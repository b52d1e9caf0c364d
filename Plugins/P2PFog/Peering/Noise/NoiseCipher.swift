/// One direction of a transport after the handshake (Noise, section 5.1, CipherState).
package struct NoiseCipher: Sendable {
  private var key: [UInt8]

  /// The number of the next message.
  ///
  /// 2^64 - 1 is never used (section 5.1); a link ends long before.
  package private(set) var nonce: UInt64 = 0

  /// A cipher whose first message has number 0.
  ///
  /// - Parameter key: 32 bytes from `NoiseXX.split`.
  package init(key: [UInt8]) { self.key = key }

  /// Replaces the key by one that says nothing of it (sections 4.2 and 11.3); the numbers go on.
  ///
  /// Both sides do so at the same message, or the next one does not open.
  package mutating func rekey() {
    let sealed = ChaChaPoly.seal(
      [UInt8](repeating: 0, count: ChaChaPoly.keySize),
      key: key,
      nonce: NoiseSymmetricState.bytes(.max)
    )
    key = Array(sealed.prefix(ChaChaPoly.keySize))
  }

  /// Seals the next message, 16 bytes longer than `plain`.
  package mutating func seal(_ plain: [UInt8], associated: [UInt8] = []) -> [UInt8] {
    precondition(nonce < .max)
    defer { nonce += 1 }
    return ChaChaPoly.seal(
      plain,
      key: key,
      nonce: NoiseSymmetricState.bytes(nonce),
      associated: associated
    )
  }

  /// Opens the next message of an ordered transport; after `nil` the link is over.
  package mutating func open(_ sealed: [UInt8], associated: [UInt8] = []) -> [UInt8]? {
    guard let plain = open(sealed, nonce: nonce, associated: associated) else { return nil }
    nonce += 1
    return plain
  }

  /// Opens a message whose number came with it, for datagrams; replays are the caller's to refuse.
  package func open(_ sealed: [UInt8], nonce: UInt64, associated: [UInt8] = []) -> [UInt8]? {
    ChaChaPoly.open(
      sealed,
      key: key,
      nonce: NoiseSymmetricState.bytes(nonce),
      associated: associated
    )
  }
}
