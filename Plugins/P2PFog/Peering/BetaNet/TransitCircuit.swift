/// A circuit of another peer's that passes here, or ends here.
///
/// All that is known of it: the link it comes from, the link it goes on to, and one layer's keys.
struct TransitCircuit: Sendable {
  /// Where its sender is.
  let previous: CircuitTable.Leg
  /// Where it goes on; `nil` at its end.
  var next: CircuitTable.Leg?
  /// A next hop that has not answered yet.
  var extending: Extending?
  /// Whether what was behind is gone, so that nothing but its end may come.
  var isTruncated = false
  var layer: CircuitLayer
  /// When a cell last passed.
  var usedAt: UInt64
  /// A message that arrives for this peer.
  var reader: EnvelopeReader?

  /// Whether this peer is its last hop.
  var isEnd: Bool { next == nil && extending == nil && !isTruncated }
  /// Where payloads for later hops go, once there are any.
  var onward: CircuitTable.Leg? { extending == nil ? next : nil }

  struct Extending: Sendable {
    /// The next hop.
    let peer: PeerID
    /// What it gets.
    let request: [UInt8]
    /// Until when it has to answer.
    let deadline: UInt64
  }

  /// A circuit that was just opened.
  init(previous: CircuitTable.Leg, layer: CircuitLayer, now: UInt64) {
    self.previous = previous
    self.layer = layer
    usedAt = now
  }
}
