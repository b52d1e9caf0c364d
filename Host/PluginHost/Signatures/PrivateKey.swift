import COpenSSL
import CLinux
import Glibc

/// An Ed25519 key that signs libraries. It is never shown: there is no way to its bytes but the file it is kept in.
// Sendable although it holds a pointer: OpenSSL's key is not changed after it is made, and freed once, at the end.
@safe
package final class PrivateKey: @unchecked Sendable {
  /// Why there is no key.
  package enum Refusal: Error, Equatable, CustomStringConvertible {
    case unreadable(SystemError)
    case unwritable(SystemError)
    case exists
    case tooLong(limit: Int)
    /// Others than its owner may read it.
    case open
    case notAKey
    case unavailable

    package var description: String {
      switch self {
      case .unreadable(let error): "it cannot be read: \(error)"
      case .unwritable(let error): "it cannot be written: \(error)"
      case .exists: "there is a file already; a key is never overwritten, so name another"
      case .tooLong(let limit): "it is longer than \(limit) bytes, and so no key"
      case .open: "others may read it; run: chmod 600, and make another key if that was so for long"
      case .notAKey:
        "it is no Ed25519 private key in PEM without a password; make one with: gateway key create --out FILE"
      case .unavailable: "libcrypto has no Ed25519, or no random bytes"
      }
    }
  }

  /// Bytes of a key's file.
  package static let fileLimit = 16 * 1024
  private let key: OpaquePointer

  private init(key: OpaquePointer) { unsafe self.key = key }

  deinit { unsafe EVP_PKEY_free(key) }

  /// Makes a key of random bytes.
  ///
  /// - Throws: `Refusal.unavailable`.
  package convenience init() throws(Refusal) {
    var seed = [UInt8](repeating: 0, count: PublicKey.byteCount)
    defer { unsafe OPENSSL_cleanse(&seed, seed.count) }
    guard unsafe RAND_priv_bytes(&seed, CInt(seed.count)) == 1,
      let key = unsafe EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nil, seed, seed.count)
    else { throw .unavailable }
    unsafe self.init(key: key)
  }

  /// Reads a key file, as `write` or `openssl genpkey -algorithm ed25519` makes it.
  ///
  /// - Parameter path: A file that only its owner may read.
  /// - Throws: `Refusal`.
  package convenience init(path: String) throws(Refusal) {
    var bytes = try Self.read(path)
    defer { unsafe OPENSSL_cleanse(&bytes, bytes.count) }
    guard let input = unsafe BIO_new_mem_buf(bytes, CInt(bytes.count)) else { throw .unavailable }
    defer { unsafe BIO_free(input) }
    // Without this answer OpenSSL would ask the terminal for the password of an encrypted key.
    guard let key = unsafe PEM_read_bio_PrivateKey(input, nil, { _, _, _, _ in 0 }, nil) else {
      throw .notAKey
    }
    guard unsafe EVP_PKEY_get_id(key) == EVP_PKEY_ED25519 else {
      unsafe EVP_PKEY_free(key)
      throw .notAKey
    }
    unsafe self.init(key: key)
  }

  /// Who signs with it.
  package var publicKey: PublicKey {
    var bytes = [UInt8](repeating: 0, count: PublicKey.byteCount)
    var count = bytes.count
    let done = unsafe EVP_PKEY_get_raw_public_key(key, &bytes, &count)
    precondition(done == 1 && count == PublicKey.byteCount, "an Ed25519 key has a public half")
    return PublicKey(bytes: bytes)
  }

  /// The signature over `message`, 64 bytes.
  package func sign(_ message: [UInt8]) -> [UInt8] {
    var signature = [UInt8](repeating: 0, count: PublicKey.signatureBytes)
    var count = signature.count
    let context = unsafe EVP_MD_CTX_new()
    defer { unsafe EVP_MD_CTX_free(context) }
    let ready = unsafe context != nil && EVP_DigestSignInit(context, nil, nil, nil, key) == 1
    let done =
      unsafe ready
      && EVP_DigestSign(context, &signature, &count, message, message.count) == 1
    precondition(done && count == signature.count, "Ed25519 is not available")
    return signature
  }

  /// Writes the key into a new file that only its owner may read.
  ///
  /// - Parameter path: Must not exist.
  /// - Throws: `Refusal`; nothing is left behind.
  package func write(_ path: String) throws(Refusal) {
    let raw = unsafe open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
    guard raw >= 0 else {
      throw errno == EEXIST ? .exists : .unwritable(SystemError(call: "open", code: errno))
    }
    let file = Descriptor(adopting: raw)
    do throws(SystemError) {
      var text = try pem()
      defer { unsafe OPENSSL_cleanse(&text, text.count) }
      try Directory.writeAll(file.raw, text[...])
      guard fsync(file.raw) == 0 else { throw SystemError(call: "fsync", code: errno) }
    } catch {
      _ = unsafe unlink(path)
      throw .unwritable(error)
    }
  }

  private func pem() throws(SystemError) -> [UInt8] {
    guard let output = unsafe BIO_new(BIO_s_mem()) else {
      throw SystemError(call: "BIO_new", code: ENOMEM)
    }
    defer { unsafe BIO_free(output) }
    var text = [UInt8](repeating: 0, count: Self.fileLimit)
    let written = unsafe PEM_write_bio_PrivateKey(output, key, nil, nil, 0, nil, nil)
    let count = written == 1 ? unsafe BIO_read(output, &text, CInt(text.count)) : 0
    guard count > 0 else { throw SystemError(call: "PEM_write_bio_PrivateKey", code: ENOMEM) }
    text.removeLast(text.count - Int(count))
    return text
  }

  private static func read(_ path: String) throws(Refusal) -> [UInt8] {
    var status = stat()
    guard unsafe stat(path, &status) == 0 else {
      throw .unreadable(SystemError(call: "stat", code: errno))
    }
    guard status.st_mode & 0o077 == 0 else { throw .open }
    do {
      return try FileBytes.read(path, limit: fileLimit)
    } catch {
      switch error {
      case .tooLong(let limit): throw .tooLong(limit: limit)
      case .system(let error): throw .unreadable(error)
      }
    }
  }
}
