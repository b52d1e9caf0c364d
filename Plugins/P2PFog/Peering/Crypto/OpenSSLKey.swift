import COpenSSL

/// A raw key in OpenSSL's form, freed with its owner.
///
/// Safe: nobody else has the pointer, and who reads it holds the key.
@safe struct OpenSSLKey: ~Copyable {
  let pointer: OpaquePointer

  /// A private key of a curve whose keys are 32 bytes.
  init(privateKey: [UInt8], kind: Int32) {
    let made = unsafe EVP_PKEY_new_raw_private_key(kind, nil, privateKey, privateKey.count)
    guard let made = unsafe made else { preconditionFailure("OpenSSL lacks the curve \(kind)") }
    unsafe pointer = made
  }

  /// A public key; `nil` when the bytes are none.
  init?(publicKey: [UInt8], kind: Int32) {
    let made = unsafe EVP_PKEY_new_raw_public_key(kind, nil, publicKey, publicKey.count)
    guard let made = unsafe made else { return nil }
    unsafe pointer = made
  }

  deinit { unsafe EVP_PKEY_free(pointer) }

  /// The 32 bytes of the public half.
  var publicBytes: [UInt8] {
    var bytes = [UInt8](repeating: 0, count: 32)
    var length = 32
    let done = unsafe EVP_PKEY_get_raw_public_key(pointer, &bytes, &length)
    precondition(done == 1 && length == 32)
    return bytes
  }
}
