import Testing

@testable import Peering

@Suite struct LinkKeyTests {
  private static let second: UInt64 = 1_000_000_000

  private static func cell(_ circuit: UInt32 = 0x8000_0001) -> Cell {
    Cell(circuit: circuit, command: .relay, payload: [])
  }

  @Test("Keys change in band after so many messages, in both directions, and nothing is lost")
  func rekeys() {
    var settings = OverlaySettings()
    settings.link.keyMessages = 5
    let network = VirtualNetwork(2, settings: settings)
    network.peers[1].serve = { _, body in .success(body) }
    let peer = network.peers[1].id
    for number in 1...40 as ClosedRange<UInt64> {
      network.with(0) { overlay, roster, now in
        overlay.call(
          number,
          to: peer,
          method: "echo",
          body: CallContent(json: [1]),
          timeout: Self.second,
          roster: roster,
          now: now
        )
      }
      network.run(for: Self.second / 10)
    }
    let answers = network.peers[0].told.count {
      if case .answered(_, .answered) = $0 { true } else { false }
    }
    #expect(answers == 40)
    #expect(network.peers.allSatisfy { $0.overlay.traffic.keyUpdates >= 15 })
  }

  @Test("Keys change after so many bytes")
  func rekeysByBytes() {
    var settings = OverlaySettings()
    settings.link.keyBytes = 300_000
    let network = VirtualNetwork(2, settings: settings)
    network.peers[1].serve = { _, body in .success(body) }
    let peer = network.peers[1].id
    let body = CallContent(json: [], bytes: [UInt8](repeating: 4, count: CallContent.bytesLimit))
    network.with(0) { overlay, roster, now in
      overlay.call(
        1,
        to: peer,
        method: "echo",
        body: body,
        timeout: Self.second,
        roster: roster,
        now: now
      )
    }
    network.run(for: Self.second)
    #expect(network.peers[0].told.contains(.answered(call: 1, .answered(body))))
    #expect(network.peers.allSatisfy { $0.overlay.traffic.keyUpdates >= 3 })
  }

  @Test("A peer that never changes its key is cut off at the limit")
  func refusesOldKey() {
    var settings = OverlaySettings()
    settings.link.keyMessages = 20
    let peer = RawPeer(settings)
    peer.exchange()
    var strict = peer.link.settings
    strict.keyMessages = .max
    // The same keys, without the limit.
    let keys = peer.link.handshake.split()
    var own = LinkCipher(key: keys.send, settings: strict)
    _ = (0..<2).map { _ in own.seal([]) }
    for _ in 0..<18 {
      let sealed = own.seal(HTXFrame(stream: 0, kind: .padding, payload: Self.cell().bytes).bytes)
      peer.overlay.receive(
        [UInt8(sealed.count >> 8), UInt8(sealed.count & 255)] + sealed,
        on: 1,
        roster: &peer.overlayRoster,
        now: peer.now
      )
    }
    #expect(!peer.overlay.actions.contains { if case .close = $0 { true } else { false } })
    let sealed = own.seal(HTXFrame(stream: 0, kind: .padding, payload: Self.cell().bytes).bytes)
    peer.overlay.receive(
      [UInt8(sealed.count >> 8), UInt8(sealed.count & 255)] + sealed,
      on: 1,
      roster: &peer.overlayRoster,
      now: peer.now
    )
    #expect(
      peer.overlay.actions.contains(.close(link: 1, .malformed("is one too many for its key")))
    )
  }
}
