/// Eight bytes looked at together, the first one lowest.
///
/// Marks are a number in which the high bit of a byte stands for a hit. A borrow can add false marks
/// above a true one, so only the lowest mark of a result counts.
struct ByteWord {
  let bits: UInt64

  /// Loads the bytes from `offset`; eight of them must be there.
  @inline(__always)
  init(_ bytes: Span<UInt8>, at offset: Int) {
    assert(offset >= 0 && offset + 8 <= bytes.count, "eight bytes are not there")
    // Every caller has compared `offset + 8` with the count, which the optimiser cannot see through
    // the checked call; the tests read against a guard page. Any eight bytes are a UInt64.
    bits = unsafe UInt64(
      littleEndian: bytes.bytes.unsafeLoadUnaligned(
        fromUncheckedByteOffset: offset,
        as: UInt64.self
      )
    )
  }

  /// The bytes as a number whose hexadecimal digits have the order of the text.
  @inline(__always)
  var asWritten: UInt64 { bits.byteSwapped }

  /// How many bytes stand before the lowest mark.
  @inline(__always)
  static func position(_ marks: UInt64) -> Int { marks.trailingZeroBitCount &>> 3 }

  /// Marks the bytes equal to `byte`.
  @inline(__always)
  func marks(of byte: UInt8) -> UInt64 {
    let difference = bits ^ (UInt64(byte) &* Self.ones)
    return (difference &- Self.ones) & ~difference & Self.high
  }

  /// Marks control bytes, the tab among them.
  @inline(__always)
  var controlMarks: UInt64 {
    ((bits &- 0x20 &* Self.ones) & ~bits & Self.high) | marks(of: 0x7F)
  }

  /// Marks bytes that may not stand in a request target.
  @inline(__always)
  var nonTargetMarks: UInt64 {
    (((bits &- 0x21 &* Self.ones) | bits) & Self.high) | marks(of: 0x7F)
      | marks(of: UInt8(ascii: "#"))
  }

  private static var ones: UInt64 { 0x0101_0101_0101_0101 }
  private static var high: UInt64 { 0x8080_8080_8080_8080 }
}
