import PluginStorage

/// Bytes of hexadecimal digits, blanks aside.
func hex(_ digits: String) -> [UInt8] {
  guard let bytes = Hexadecimal.bytes(digits.filter { !$0.isWhitespace }) else {
    preconditionFailure("no hexadecimal digits: \(digits)")
  }
  return bytes
}
