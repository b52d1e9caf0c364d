/// A circuit of this peer's own: its path, its layers, and the messages on it.
struct OriginCircuit: Sendable {
  /// Cells of messages without a receipt that may be on their way; one message always may.
  ///
  /// In place of Tor's SENDME windows (tor-spec, section 7.3): receipts are what opens the window again.
  static let window = 160

  /// For whom it is.
  let recipient: PeerID
  /// The hops that were wanted; the path may be shorter where the settings allow it.
  let wantedHops: Int
  /// The hops, the recipient last.
  let path: [PeerRecord]
  /// When its building began.
  let begunAt: UInt64
  /// Its first leg, once there is a link.
  var leg: CircuitTable.Leg?
  /// One for each hop that has answered.
  var layers: [CircuitLayer] = []
  /// With the hop that has not answered yet.
  var handshake: CircuitHandshake?
  /// Until when it has to.
  var stepDeadline: UInt64
  /// When the last hop has answered.
  var openedAt: UInt64?
  var usedAt: UInt64
  /// Messages that were sent over it.
  var messages = 0
  /// Cells of each message without a receipt.
  var unconfirmed: [[UInt8]: Int] = [:]

  /// A circuit of which nothing is built yet.
  init(to recipient: PeerID, wantedHops: Int, path: [PeerRecord], step: UInt64, now: UInt64) {
    self.recipient = recipient
    self.wantedHops = wantedHops
    self.path = path
    begunAt = now
    usedAt = now
    stepDeadline = now + step
  }

  var isOpen: Bool { openedAt != nil }

  /// Whether a message of so many cells may be sent now.
  func hasWindow(for cells: Int) -> Bool {
    unconfirmed.isEmpty || unconfirmed.values.reduce(cells, +) <= Self.window
  }

  /// The payload that says `content` to the last hop so far.
  mutating func seal(_ content: RelayContent) -> [UInt8] {
    var payload = layers[layers.count - 1].forward.tagged(content)
    for index in layers.indices.reversed() { payload = layers[index].forward.pass(payload) }
    return payload
  }

  /// Takes the layers off a payload that came back.
  ///
  /// - Returns: Which hop has made it, and what it says; `nil` when none has, so that it was altered on its way.
  mutating func open(_ payload: [UInt8]) -> (hop: Int, content: [UInt8])? {
    var payload = payload
    for index in layers.indices {
      let (plain, content) = layers[index].backward.open(payload)
      if let content { return (index, content) }
      payload = plain
    }
    return nil
  }
}
