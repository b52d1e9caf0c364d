@testable import Peering

/// A peer that speaks the protocol of links and obeys none of the rules above it.
final class RawPeer {
  let identity: Identity
  var link: Link
  var roster: Roster
  var events: [Link.Event] = []
  var closure: LinkClosure?
  var overlayActions: [Overlay.Action] = []
  var now = Moment(monotonic: 1_000_000_000, wall: 1_700_000_000_000)

  /// The overlay that it talks with, as link 1.
  var overlay: Overlay
  var overlayRoster: Roster
  let overlayIdentity = Identity(seed: [UInt8](repeating: 200, count: 32))

  static func record(_ identity: Identity) -> PeerRecord {
    guard let endpoint = Endpoint(text: "10.0.0.9:7946") else { preconditionFailure() }
    return PeerRecord(identity, sequence: 1, endpoint: endpoint, name: "raw")
  }

  /// A peer on a connection with an overlay that knows it, or does not.
  init(
    _ settings: OverlaySettings = OverlaySettings(),
    isKnown: Bool = true,
    isInitiator: Bool = true
  ) {
    identity = Identity(seed: [UInt8](repeating: 201, count: 32))
    let own = Self.record(overlayIdentity)
    overlay = Overlay(identity: overlayIdentity, record: own, settings: settings)
    overlayRoster = Roster(own: overlayIdentity.id, admitsIntroduced: false)
    if isKnown { overlayRoster.restore(Self.record(identity)) }
    roster = Roster(own: identity.id, admitsIntroduced: false)
    roster.restore(own)
    link = Link(
      isInitiator: isInitiator,
      identity: identity,
      record: Self.record(identity),
      expecting: isInitiator ? overlayIdentity.id : nil,
      networkSecret: nil,
      invitation: nil,
      settings: settings.link,
      cover: nil,
      now: now
    )
    overlay.opened(
      1,
      isInitiator: !isInitiator,
      expecting: isInitiator ? nil : identity.id,
      now: now
    )
  }

  /// Passes bytes between both until there are none.
  func exchange() {
    while true {
      let bytes = link.takeOutput()
      link.wrote(bytes.count, now: now)
      if !bytes.isEmpty { overlay.receive(bytes, on: 1, roster: &overlayRoster, now: now) }
      let actions = overlay.actions
      overlay.actions = []
      overlayActions += actions
      for case .write(_, let bytes) in actions {
        overlay.wrote(bytes.count, on: 1, now: now)
        let (more, closure) = link.receive(bytes, roster: &roster, now: now)
        events += more
        self.closure = self.closure ?? closure
      }
      if bytes.isEmpty, actions.isEmpty { return }
    }
  }

  /// Sends a frame, whatever it is.
  func send(_ frame: HTXFrame) {
    link.write(frame)
    exchange()
  }

  func send(_ cell: Cell) { send(HTXFrame(stream: 0, kind: .data, payload: cell.bytes)) }

  /// Why the overlay has closed the link, if it has.
  var refused: LinkClosure? {
    for case .close(_, let closure) in overlayActions { return closure }
    return nil
  }

  var cells: [Cell] {
    events.compactMap { if case .cell(let bytes) = $0 { try? Cell(bytes) } else { nil } }
  }
}
