/// Bytes of ASCII as protocols classify them.
package enum ASCII {
  package static let carriageReturn = UInt8(ascii: "\r")
  package static let lineFeed = UInt8(ascii: "\n")
}
