import COpenSSL

/// Makes request ids: `req-` and 16 hex digits, different for each request of the process.
///
/// A counter behind a random start, scrambled: unique without a system call for each, and telling
/// nobody how many requests there are.
struct RequestIDs {
  private var counter: UInt64

  init() {
    var seed: UInt64 = 0
    let code = unsafe withUnsafeMutableBytes(of: &seed) { bytes in
      unsafe RAND_bytes(
        bytes.baseAddress?.assumingMemoryBound(to: UInt8.self),
        CInt(bytes.count)
      )
    }
    precondition(code == 1, "the system gives no random bytes")
    counter = seed
  }

  /// Appends the next id.
  mutating func write(to id: inout [UInt8]) {
    id.append(contentsOf: [0x72, 0x65, 0x71, 0x2D])  // "req-"
    writeHex(to: &id)
  }

  /// Appends a new trace id: 32 hex digits, not all zero.
  mutating func writeTraceID(to id: inout [UInt8]) {
    writeHex(to: &id)
    writeHex(to: &id)
  }

  /// Appends 16 hex digits that no other call of this value has given.
  private mutating func writeHex(to id: inout [UInt8]) {
    counter &+= 0x9E37_79B9_7F4A_7C15
    var mixed = counter  // SplitMix64: a bijection, so numbers repeat only after 2^64
    mixed = (mixed ^ mixed >> 30) &* 0xBF58_476D_1CE4_E5B9
    mixed = (mixed ^ mixed >> 27) &* 0x94D0_49BB_1331_11EB
    mixed ^= mixed >> 31
    var digits = [16 of UInt8](repeating: 0)
    for index in 0..<16 {
      let digit = UInt8(truncatingIfNeeded: mixed &>> UInt64(60 &- 4 &* index)) & 0xF
      digits[index] = digit < 10 ? 0x30 &+ digit : 0x57 &+ digit
    }
    // The digits are read within the call.
    unsafe digits.span.withUnsafeBufferPointer { unsafe id.append(contentsOf: $0) }
  }

  mutating func next() -> [UInt8] {
    var id: [UInt8] = []
    write(to: &id)
    return id
  }

  /// Whether an id that a client sent may be taken over: short, and harmless in any log or head.
  static func isSane(_ id: Span<UInt8>) -> Bool {
    guard id.count > 0, id.count <= 128 else { return false }
    for index in id.indices {
      switch id[index] {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "_"),
        UInt8(ascii: "."):
        continue
      default: return false
      }
    }
    return true
  }
}
