import COpenSSL
import Wire

/// The public half of an Ed25519 key (RFC 8032): who signed, as a file of the plugins directory names them.
package struct PublicKey: Sendable, Hashable {
  package static let byteCount = 32
  package static let signatureBytes = 64

  package let bytes: [UInt8]

  init(bytes: [UInt8]) { self.bytes = bytes }

  /// Reads the form that `text` has; `nil` for anything else.
  ///
  /// Whether the bytes are a key shows when it checks a signature.
  ///
  /// - Parameter text: 43 characters of base64url.
  package init?(_ text: String) {
    guard let bytes = Base64URL.decode(Array(text.utf8).span), bytes.count == Self.byteCount else {
      return nil
    }
    self.bytes = bytes
  }

  /// The key in base64url.
  package var text: String { Base64URL.encode(bytes) }

  /// Whether the private half made `signature` over exactly these bytes.
  package func accepts(_ signature: [UInt8], of message: [UInt8]) -> Bool {
    guard signature.count == Self.signatureBytes else { return false }
    // Pointers are used within the calls only; a failure anywhere leaves NULL or a status other than 1.
    let key = unsafe EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nil, bytes, bytes.count)
    defer { unsafe EVP_PKEY_free(key) }
    let context = unsafe EVP_MD_CTX_new()
    defer { unsafe EVP_MD_CTX_free(context) }
    guard unsafe key != nil, unsafe context != nil,
      unsafe EVP_DigestVerifyInit(context, nil, nil, nil, key) == 1
    else { return false }
    return unsafe EVP_DigestVerify(context, signature, signature.count, message, message.count) == 1
  }
}
