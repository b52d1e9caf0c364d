/// Chaining key, hash and cipher of a handshake (Noise, sections 5.1 and 5.2).
struct NoiseSymmetricState: Sendable {
  private(set) var hash: [UInt8]
  private var chainingKey: [UInt8]
  private var key: [UInt8]?
  private var nonce: UInt64 = 0

  init(protocolName: [UInt8]) {
    let padding = max(0, 32 - protocolName.count)
    hash =
      protocolName.count <= 32
      ? protocolName + [UInt8](repeating: 0, count: padding)
      : KeyDerivation.sha256(protocolName)
    chainingKey = hash
  }

  mutating func mixHash(_ bytes: [UInt8]) { hash = KeyDerivation.sha256(hash + bytes) }

  mutating func mixKey(_ secret: [UInt8]) {
    let output = KeyDerivation.hkdf(secret: secret, salt: chainingKey, info: [], count: 64)
    chainingKey = Array(output[..<32])
    key = Array(output[32...])
    nonce = 0
  }

  mutating func encryptAndHash(_ plain: [UInt8]) -> [UInt8] {
    guard let key else {
      mixHash(plain)
      return plain
    }
    let sealed = ChaChaPoly.seal(plain, key: key, nonce: Self.bytes(nonce), associated: hash)
    nonce += 1
    mixHash(sealed)
    return sealed
  }

  mutating func decryptAndHash(_ sealed: [UInt8]) throws(MalformedPacket) -> [UInt8] {
    guard let key else {
      mixHash(sealed)
      return sealed
    }
    let opened = ChaChaPoly.open(sealed, key: key, nonce: Self.bytes(nonce), associated: hash)
    guard let opened else { throw MalformedPacket("is not authentic") }
    nonce += 1
    mixHash(sealed)
    return opened
  }

  func split() -> ([UInt8], [UInt8]) {
    let output = KeyDerivation.hkdf(secret: [], salt: chainingKey, info: [], count: 64)
    return (Array(output[..<32]), Array(output[32...]))
  }

  /// A nonce as ChaChaPoly takes it: 32 zero bits and the number, little-endian (section 12.3).
  static func bytes(_ nonce: UInt64) -> [UInt8] {
    [0, 0, 0, 0] + (0..<8).map { UInt8(truncatingIfNeeded: nonce >> ($0 * 8)) }
  }
}
