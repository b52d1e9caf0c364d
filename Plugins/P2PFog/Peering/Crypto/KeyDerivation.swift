import COpenSSL

/// Digests and keys from secrets.
package enum KeyDerivation {
  /// SHA-256 of `bytes`, 32 bytes.
  package static func sha256(_ bytes: [UInt8]) -> [UInt8] {
    var digest = [UInt8](repeating: 0, count: 32)
    unsafe COpenSSL.SHA256(bytes, bytes.count, &digest)
    return digest
  }

  /// HMAC-SHA256 (RFC 2104), 32 bytes.
  package static func hmac(_ message: [UInt8], key: [UInt8]) -> [UInt8] {
    var code = [UInt8](repeating: 0, count: 32)
    var length: UInt32 = 32
    let done = unsafe HMAC(
      EVP_sha256(),
      key,
      Int32(key.count),
      message,
      message.count,
      &code,
      &length
    )
    precondition(unsafe done != nil && length == 32)
    return code
  }

  /// HKDF with SHA-256 (RFC 5869).
  ///
  /// - Parameters:
  ///   - secret: The input keying material.
  ///   - salt: Not secret; may be empty.
  ///   - info: What the key is for.
  ///   - count: Bytes wanted, at most 8,160.
  /// - Returns: `count` bytes.
  package static func hkdf(secret: [UInt8], salt: [UInt8], info: [UInt8], count: Int) -> [UInt8] {
    precondition(count <= 255 * 32)
    let extracted = hmac(secret, key: salt.isEmpty ? [UInt8](repeating: 0, count: 32) : salt)
    var block: [UInt8] = []
    var output: [UInt8] = []
    var number: UInt8 = 1
    while output.count < count {
      block = hmac(block + info + [number], key: extracted)
      output += block
      number &+= 1
    }
    return Array(output.prefix(count))
  }

  /// Whether two secrets are the same, in time that depends on their lengths alone.
  package static func areEqual(_ left: [UInt8], _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    return unsafe CRYPTO_memcmp(left, right, left.count) == 0
  }
}
