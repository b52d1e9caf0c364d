/// A message among all that travel: its identifier and who made it.
///
/// The origin belongs to it, or one peer could use up another's identifiers. 16 bytes of the origin's key tell peers apart as
/// well as all 32.
package struct MessageKey: Hashable, Sendable {
  private let id: UInt128
  private let origin: UInt128

  package init(_ id: [UInt8], _ origin: PeerID) {
    self.id = id.prefix(16).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
    self.origin = origin.bytes.prefix(16).reduce(UInt128(0)) { $0 << 8 | UInt128($1) }
  }
}
