/// The form of `Host` and of an authority without user name: a name or an address, and a port.
package enum HostName {
  /// Whether `bytes[range]` is `uri-host [ ":" port ]` with a host that is not empty
  /// (RFC 9110 §7.2).
  package static func isValid(_ bytes: Span<UInt8>, _ range: Range<Int>) -> Bool {
    guard let first = range.first else { return false }
    var index = first
    if bytes[index] == UInt8(ascii: "[") {
      index += 1
      while index < range.upperBound, isAddressByte(bytes[index]) { index += 1 }
      guard index > first + 1, index < range.upperBound, bytes[index] == UInt8(ascii: "]") else {
        return false
      }
      index += 1
    } else {
      while index < range.upperBound, ASCII.isHostName(bytes[index]) { index &+= 1 }
      guard index > first else { return false }
    }
    guard index < range.upperBound else { return true }
    guard bytes[index] == UInt8(ascii: ":"), range.upperBound - index <= 6 else { return false }
    index += 1
    while index < range.upperBound, ASCII.isDigit(bytes[index]) { index += 1 }
    return index == range.upperBound
  }

  /// Hexadecimal digits, colons, and dots of an embedded IPv4 address; zones are local to a machine
  /// and do not belong here.
  private static func isAddressByte(_ byte: UInt8) -> Bool {
    ASCII.hexValue(byte) != nil || byte == UInt8(ascii: ":") || byte == UInt8(ascii: ".")
  }
}
