import COpenSSL

/// Diffie-Hellman on Curve25519 (RFC 7748).
package enum X25519 {
  /// Bytes of a key and of a shared secret.
  package static let size = 32

  /// A private key with its public half.
  package struct KeyPair: Sendable {
    /// 32 bytes; a secret.
    package let privateKey: [UInt8]
    /// 32 bytes.
    package let publicKey: [UInt8]

    /// The pair of a private key.
    ///
    /// - Parameter privateKey: 32 bytes.
    package init(privateKey: [UInt8]) {
      precondition(privateKey.count == X25519.size)
      self.privateKey = privateKey
      publicKey = OpenSSLKey(privateKey: privateKey, kind: EVP_PKEY_X25519).publicBytes
    }

    /// A fresh pair from the system's random bytes.
    package static func random() -> KeyPair { KeyPair(privateKey: RandomBytes.make(X25519.size)) }

    /// The shared secret with `publicKey`.
    ///
    /// `nil` when the other's key is malformed or of small order (RFC 7748 section 6.1: an all-zero secret is refused).
    package func sharedSecret(with publicKey: [UInt8]) -> [UInt8]? {
      guard publicKey.count == X25519.size,
        let other = OpenSSLKey(publicKey: publicKey, kind: EVP_PKEY_X25519)
      else { return nil }
      let own = OpenSSLKey(privateKey: privateKey, kind: EVP_PKEY_X25519)
      guard let context = unsafe EVP_PKEY_CTX_new(own.pointer, nil) else { return nil }
      defer { unsafe EVP_PKEY_CTX_free(context) }
      var secret = [UInt8](repeating: 0, count: X25519.size)
      var length = X25519.size
      guard unsafe EVP_PKEY_derive_init(context) == 1,
        unsafe EVP_PKEY_derive_set_peer(context, other.pointer) == 1,
        unsafe EVP_PKEY_derive(context, &secret, &length) == 1,
        length == X25519.size, secret.contains(where: { $0 != 0 })
      else { return nil }
      return secret
    }
  }
}
