import COpenSSL

/// Authenticated encryption with ChaCha20-Poly1305 (RFC 8439).
package enum ChaChaPoly {
  /// Bytes of a key.
  package static let keySize = 32
  /// Bytes of a nonce.
  package static let nonceSize = 12
  /// Bytes by which a sealed text is longer than the plain one.
  package static let tagSize = 16

  /// Encrypts and authenticates.
  ///
  /// - Parameters:
  ///   - plain: What is hidden.
  ///   - key: 32 bytes.
  ///   - nonce: 12 bytes, never twice with one key.
  ///   - associated: What is authenticated beside it, and not hidden.
  /// - Returns: Ciphertext and tag, 16 bytes longer than `plain`.
  package static func seal(
    _ plain: [UInt8],
    key: [UInt8],
    nonce: [UInt8],
    associated: [UInt8] = []
  ) -> [UInt8] {
    precondition(key.count == keySize && nonce.count == nonceSize)
    guard let context = unsafe EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory") }
    defer { unsafe EVP_CIPHER_CTX_free(context) }
    var sealed = [UInt8](repeating: 0, count: plain.count + tagSize)
    var length: Int32 = 0
    var done = unsafe EVP_EncryptInit_ex(context, EVP_chacha20_poly1305(), nil, key, nonce) == 1
    if !associated.isEmpty {
      let count = Int32(associated.count)
      done = unsafe EVP_EncryptUpdate(context, nil, &length, associated, count) == 1 && done
    }
    done =
      unsafe EVP_EncryptUpdate(context, &sealed, &length, plain, Int32(plain.count)) == 1 && done
    var tag = [UInt8](repeating: 0, count: tagSize)
    var rest: Int32 = 0
    done = unsafe EVP_EncryptFinal_ex(context, &tag, &rest) == 1 && done
    let get = EVP_CTRL_AEAD_GET_TAG
    done = unsafe EVP_CIPHER_CTX_ctrl(context, get, Int32(tagSize), &tag) == 1 && done
    precondition(done && Int(length) == plain.count, "OpenSSL refused ChaCha20-Poly1305")
    sealed.replaceSubrange(plain.count..., with: tag)
    return sealed
  }

  /// Checks and decrypts.
  ///
  /// - Parameters:
  ///   - sealed: What `seal` gave.
  ///   - key: 32 bytes.
  ///   - nonce: 12 bytes.
  ///   - associated: What was authenticated beside it.
  /// - Returns: The plain text; `nil` when anything differs.
  package static func open(
    _ sealed: [UInt8],
    key: [UInt8],
    nonce: [UInt8],
    associated: [UInt8] = []
  ) -> [UInt8]? {
    precondition(key.count == keySize && nonce.count == nonceSize)
    guard sealed.count >= tagSize, let context = unsafe EVP_CIPHER_CTX_new() else { return nil }
    defer { unsafe EVP_CIPHER_CTX_free(context) }
    let count = sealed.count - tagSize
    // One byte more: an empty plain text still needs an address.
    var plain = [UInt8](repeating: 0, count: count + 1)
    var tag = Array(sealed[count...])
    var length: Int32 = 0
    guard unsafe EVP_DecryptInit_ex(context, EVP_chacha20_poly1305(), nil, key, nonce) == 1
    else { return nil }
    if !associated.isEmpty {
      let size = Int32(associated.count)
      guard unsafe EVP_DecryptUpdate(context, nil, &length, associated, size) == 1 else {
        return nil
      }
    }
    let set = EVP_CTRL_AEAD_SET_TAG
    var rest: [UInt8] = [0]
    var none: Int32 = 0
    guard unsafe EVP_DecryptUpdate(context, &plain, &length, sealed, Int32(count)) == 1,
      unsafe EVP_CIPHER_CTX_ctrl(context, set, Int32(tagSize), &tag) == 1,
      unsafe EVP_DecryptFinal_ex(context, &rest, &none) == 1
    else { return nil }
    plain.removeLast()
    return plain
  }
}
