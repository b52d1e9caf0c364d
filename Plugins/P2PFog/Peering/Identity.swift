/// The secrets of this peer: its Ed25519 seed, and the X25519 key that goes with it.
///
/// The X25519 private key is derived from the seed (HKDF-SHA256, info `aivillage x25519 1`), so that one file of 32 bytes is all
/// there is to keep. Which X25519 key is a peer's is never taken on trust: `PeerRecord` and every handshake carry it under
/// the peer's signature.
package struct Identity: Sendable {
  /// 32 bytes; a secret.
  package let seed: [UInt8]
  /// The public name.
  package let id: PeerID
  /// For key agreement.
  package let agreement: X25519.KeyPair

  /// The identity of a seed.
  ///
  /// - Parameter seed: 32 bytes.
  package init(seed: [UInt8]) {
    self.seed = seed
    id = Ed25519.publicKey(ofSeed: seed)
    let info = Array("aivillage x25519 1".utf8)
    agreement = X25519.KeyPair(
      privateKey: KeyDerivation.hkdf(secret: seed, salt: [], info: info, count: X25519.size)
    )
  }

  /// A fresh identity.
  package static func random() -> Identity { Identity(seed: RandomBytes.make(Ed25519.seedSize)) }

  /// The signature of `message`, 64 bytes.
  ///
  /// Callers begin `message` with a text that says what it is, so that no signature can be taken for another's.
  package func sign(_ message: [UInt8]) -> [UInt8] { Ed25519.sign(message, seed: seed) }
}
