import COpenSSL

/// Random bytes that cannot be guessed.
package enum RandomBytes {
  /// `count` bytes of OpenSSL's generator, which the kernel seeds.
  package static func make(_ count: Int) -> [UInt8] {
    var bytes = [UInt8](repeating: 0, count: count)
    let done = unsafe RAND_bytes(&bytes, Int32(count))
    precondition(done == 1, "the system has no random bytes")
    return bytes
  }
}
