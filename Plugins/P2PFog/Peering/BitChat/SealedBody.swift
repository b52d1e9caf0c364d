/// A message that its recipient alone can read: an ephemeral key and ChaCha20-Poly1305 (as ECIES, RFC 9180's base mode in kind).
///
/// Not RFC 9180 itself: that needs a key schedule for choices that do not exist here. The key is used once, so that its
/// nonce is zero; origin, recipient and identifier are authenticated with it, so that no seal fits another message.
package enum SealedBody {
  /// Bytes by which a sealed body is longer.
  package static let overhead = X25519.size + ChaChaPoly.tagSize

  /// Seals `plain`; `nil` when the recipient's key allows no secret.
  package static func seal(
    _ plain: [UInt8],
    id: [UInt8],
    origin: PeerID,
    recipient: PeerID,
    agreementKey: [UInt8]
  ) -> [UInt8]? {
    let ephemeral = X25519.KeyPair.random()
    guard let secret = ephemeral.sharedSecret(with: agreementKey) else { return nil }
    let key = Self.key(secret, ephemeral.publicKey, agreementKey)
    let nonce = [UInt8](repeating: 0, count: ChaChaPoly.nonceSize)
    let associated = id + origin.bytes + recipient.bytes
    return ephemeral.publicKey
      + ChaChaPoly.seal(plain, key: key, nonce: nonce, associated: associated)
  }

  /// Opens what `seal` gave; `nil` when anything differs.
  package static func open(_ sealed: [UInt8], id: [UInt8], origin: PeerID, by own: Identity)
    -> [UInt8]?
  {
    guard sealed.count >= overhead else { return nil }
    let ephemeral = Array(sealed[..<X25519.size])
    guard let secret = own.agreement.sharedSecret(with: ephemeral) else { return nil }
    return ChaChaPoly.open(
      Array(sealed[X25519.size...]),
      key: key(secret, ephemeral, own.agreement.publicKey),
      nonce: [UInt8](repeating: 0, count: ChaChaPoly.nonceSize),
      associated: id + origin.bytes + own.id.bytes
    )
  }

  private static func key(_ secret: [UInt8], _ ephemeral: [UInt8], _ own: [UInt8]) -> [UInt8] {
    let info = Array("aivillage bitchat seal 1".utf8)
    return KeyDerivation.hkdf(
      secret: secret,
      salt: ephemeral + own,
      info: info,
      count: ChaChaPoly.keySize
    )
  }
}
