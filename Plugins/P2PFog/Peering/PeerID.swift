import PluginStorage

/// Who a peer is: its Ed25519 public key (RFC 8032), 32 bytes.
package struct PeerID: Hashable, Sendable, Comparable, CustomStringConvertible {
  /// Bytes of an identity.
  package static let size = 32

  /// The public key.
  package let bytes: [UInt8]

  /// An identity of exactly 32 bytes; `nil` for another number.
  package init?(_ bytes: [UInt8]) {
    guard bytes.count == Self.size else { return nil }
    self.bytes = bytes
  }

  /// An identity from its 64 lower-case hexadecimal digits; `nil` for anything else.
  package init?(text: String) {
    guard let bytes = Hexadecimal.bytes(text) else { return nil }
    self.init(bytes)
  }

  /// A key is random already: 8 bytes of it are as good as 32, and one call instead of one for each byte.
  package func hash(into hasher: inout Hasher) {
    unsafe bytes.prefix(8).withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
  }

  /// 64 lower-case hexadecimal digits.
  package var description: String { Hexadecimal.text(bytes) }

  /// The first 12 digits, for lines that people read.
  package var short: String { String(description.prefix(12)) }

  package static func < (left: PeerID, right: PeerID) -> Bool {
    left.bytes.lexicographicallyPrecedes(right.bytes)
  }
}
