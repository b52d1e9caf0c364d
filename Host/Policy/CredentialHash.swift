/// A fast 64-bit hash of bytes, keyed at random so that nobody can choose colliding credentials.
///
/// Multiply and fold over 16 bytes at a step, as wyhash does. Not for telling credentials apart:
/// who finds an equal hash compares the bytes.
struct CredentialHash {
  private let first: UInt64
  private let second: UInt64

  init() {
    var random = SystemRandomNumberGenerator()
    // Odd, so that neither is 0, which would fold everything to 0.
    first = random.next() | 1
    second = random.next() | 1
  }

  func callAsFunction(_ bytes: Span<UInt8>) -> UInt64 {
    let count = bytes.count
    var hash = first
    // All loads below lie within `count` bytes; unaligned loads have no alignment to break.
    unsafe bytes.withUnsafeBufferPointer { bytes in
      let start = UnsafeRawBufferPointer(bytes)
      var offset = 0
      while offset + 16 <= count {
        let low = unsafe start.loadUnaligned(fromByteOffset: offset, as: UInt64.self)
        let high = unsafe start.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self)
        hash = Self.fold(low ^ second, high ^ hash)
        offset += 16
      }
      if count >= 16 {
        // The last 16 bytes, some of them for the second time.
        let low = unsafe start.loadUnaligned(fromByteOffset: count - 16, as: UInt64.self)
        let high = unsafe start.loadUnaligned(fromByteOffset: count - 8, as: UInt64.self)
        hash = Self.fold(low ^ second, high ^ hash)
        return
      }
      var low: UInt64 = 0
      var high: UInt64 = 0
      while offset < count {
        high = high << 8 | low >> 56
        low = unsafe low << 8 | UInt64(start[offset])
        offset += 1
      }
      hash = Self.fold(low ^ second, high ^ hash)
    }
    // The count goes in last: earlier it could be made up for by a bit of the credential.
    return Self.fold(hash ^ first, second ^ UInt64(truncatingIfNeeded: count))
  }

  private static func fold(_ one: UInt64, _ other: UInt64) -> UInt64 {
    let product = one.multipliedFullWidth(by: other)
    return product.high ^ product.low
  }
}
