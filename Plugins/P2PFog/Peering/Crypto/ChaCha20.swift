import COpenSSL

/// The stream cipher ChaCha20 alone (RFC 8439, section 2.4): it hides, and proves nothing.
enum ChaCha20 {
  /// The bytes combined with the key stream; the same call turns them back.
  ///
  /// - Parameters:
  ///   - bytes: What is hidden or shown.
  ///   - key: 32 bytes.
  ///   - number: Never twice with one key; the nonce, as Noise makes it of a number.
  /// - Returns: As many bytes.
  static func apply(_ bytes: [UInt8], key: [UInt8], number: UInt64) -> [UInt8] {
    precondition(key.count == ChaChaPoly.keySize && !bytes.isEmpty)
    guard let context = unsafe EVP_CIPHER_CTX_new() else { preconditionFailure("out of memory") }
    defer { unsafe EVP_CIPHER_CTX_free(context) }
    // OpenSSL wants the block counter, from 0, before the nonce.
    let start = [0, 0, 0, 0] + NoiseSymmetricState.bytes(number)
    var output = [UInt8](repeating: 0, count: bytes.count)
    var length: Int32 = 0
    let begun = unsafe EVP_EncryptInit_ex(context, EVP_chacha20(), nil, key, start)
    let done = unsafe EVP_EncryptUpdate(context, &output, &length, bytes, Int32(bytes.count))
    precondition(begun == 1 && done == 1 && Int(length) == bytes.count, "OpenSSL lacks ChaCha20")
    return output
  }
}
