/// Bytes of a packet as they are put together; numbers are big-endian.
package struct ByteWriter: Sendable {
  /// What was written.
  package private(set) var bytes: [UInt8] = []

  package init() {}

  /// Appends the bytes as they are.
  package mutating func raw(_ more: [UInt8]) { bytes += more }

  /// Appends a number in as many bytes as its type has.
  package mutating func number<Number: FixedWidthInteger>(_ value: Number) {
    for shift in stride(from: Number.bitWidth - 8, through: 0, by: -8) {
      bytes.append(UInt8(truncatingIfNeeded: value >> shift))
    }
  }

  /// Appends a two-byte length and the bytes.
  ///
  /// - Parameter more: At most 65,535.
  package mutating func counted(_ more: [UInt8]) {
    precondition(more.count <= Int(UInt16.max))
    number(UInt16(more.count))
    bytes += more
  }
}
