import COpenSSL

/// Ed25519 signatures (RFC 8032).
package enum Ed25519 {
  /// Bytes of a private seed.
  package static let seedSize = 32
  /// Bytes of a signature.
  package static let signatureSize = 64

  /// The public key of a 32-byte seed.
  package static func publicKey(ofSeed seed: [UInt8]) -> PeerID {
    precondition(seed.count == seedSize)
    let key = OpenSSLKey(privateKey: seed, kind: EVP_PKEY_ED25519)
    guard let id = PeerID(key.publicBytes) else {
      preconditionFailure("Ed25519 keys have 32 bytes")
    }
    return id
  }

  /// The 64-byte signature of `message` under a 32-byte seed.
  package static func sign(_ message: [UInt8], seed: [UInt8]) -> [UInt8] {
    precondition(seed.count == seedSize)
    let key = OpenSSLKey(privateKey: seed, kind: EVP_PKEY_ED25519)
    guard let context = unsafe EVP_MD_CTX_new() else { preconditionFailure("out of memory") }
    defer { unsafe EVP_MD_CTX_free(context) }
    var signature = [UInt8](repeating: 0, count: signatureSize)
    var length = signatureSize
    let begun = unsafe EVP_DigestSignInit(context, nil, nil, nil, key.pointer)
    precondition(begun == 1, "OpenSSL has no Ed25519")
    let signed = unsafe EVP_DigestSign(context, &signature, &length, message, message.count)
    precondition(signed == 1 && length == signatureSize)
    return signature
  }

  /// Whether `signature` is that of `message` by `signer`; false for any malformed input.
  package static func isValid(_ signature: [UInt8], of message: [UInt8], by signer: PeerID) -> Bool
  {
    guard signature.count == signatureSize,
      let key = OpenSSLKey(publicKey: signer.bytes, kind: EVP_PKEY_ED25519),
      let context = unsafe EVP_MD_CTX_new()
    else { return false }
    defer { unsafe EVP_MD_CTX_free(context) }
    guard unsafe EVP_DigestVerifyInit(context, nil, nil, nil, key.pointer) == 1 else {
      return false
    }
    return unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}
