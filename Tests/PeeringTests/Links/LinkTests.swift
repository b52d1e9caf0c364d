import Testing

@testable import Peering

@Suite struct LinkTests {
  private static let second: UInt64 = 1_000_000_000

  private static func cell(_ circuit: UInt32 = 0x8000_0001) -> Cell {
    Cell(circuit: circuit, command: .relay, payload: [])
  }

  @Test("A known peer's link is established on both sides, and measured at once")
  func establishes() {
    let network = VirtualNetwork(2)
    network.latency = 7_000_000
    network.link(0, 1)
    for index in 0...1 {
      #expect(network.peers[index].overlay.linked == [network.peers[1 - index].id])
      let state = network.peers[index].overlay.states.first
      #expect(state?.roundTrip?.smoothed == 14_000_000)
      #expect(state?.isInitiator == (index == 0))
    }
  }

  @Test(
    "Another version is refused before any key, without a word",
    arguments: [0, 2, 255] as [UInt8]
  )
  func version(version: UInt8) {
    let peer = RawPeer()
    peer.overlay.receive([version], on: 1, roster: &peer.overlayRoster, now: peer.now)
    #expect(peer.overlay.actions == [.close(link: 1, .version(version))])
    #expect(peer.overlay.counters.refusedHandshakes == ["version": 1])
  }

  @Test("A handshake of another carrier or version in its prologue never gets through")
  func downgrade() throws {
    for prologue in ["aivillage/0 tcp", "aivillage/1 udp", ""] {
      let peer = RawPeer()
      var noise = NoiseXX(
        isInitiator: true,
        own: peer.identity.agreement,
        prologue: Array(prologue.utf8)
      )
      let first = try noise.write()
      peer.overlay.receive(
        [1, 0, UInt8(first.count)] + first,
        on: 1,
        roster: &peer.overlayRoster,
        now: peer.now
      )
      guard case .write(_, let answer)? = peer.overlay.actions.first else {
        Issue.record("there is no answer")
        continue
      }
      #expect(throws: MalformedPacket.self) { _ = try noise.read(Array(answer[3...])) }
    }
  }

  @Test("An unknown peer is closed without a word, and gives nothing of itself away before")
  func unknown() {
    let peer = RawPeer(isKnown: false)
    peer.exchange()
    #expect(peer.refused == .notAdmitted)
    #expect(peer.overlay.linked.isEmpty)
    #expect(peer.overlay.counters.refusedHandshakes == ["not_admitted": 1])
    // The handshake's second message and nothing after it.
    #expect(peer.overlayActions.count { if case .write = $0 { true } else { false } } == 1)
    #expect(peer.events.isEmpty)
  }

  @Test("Another peer than the one that was dialled is refused")
  func wrongPeer() {
    let network = VirtualNetwork(3)
    network.connect(0, 1, expecting: network.peers[2].id)
    network.run(for: Self.second)
    #expect(network.peers[0].overlay.counters.refusedHandshakes == ["wrong_peer": 1])
    #expect(network.peers.allSatisfy { $0.overlay.linked.isEmpty })
  }

  @Test("An invitation lets a stranger in, once")
  func invitation() {
    let network = VirtualNetwork(1)
    let secret = [UInt8](repeating: 6, count: 16)
    network.peers[0].roster.invite(
      Roster.Invitation(digest: KeyDerivation.sha256(secret), expiresAt: .max)
    )
    for seed in [50, 51] as [UInt8] {
      let stranger = network.add(seed: seed, OverlaySettings())
      network.peers[stranger].roster.expect(network.peers[0].id)
      network.connect(stranger, 0, expecting: network.peers[0].id, invitation: secret)
      network.run(for: Self.second)
    }
    #expect(network.peers[0].overlay.linked == [network.peers[1].id])
    #expect(network.peers[1].overlay.linked == [network.peers[0].id])
    #expect(network.peers[2].overlay.linked.isEmpty)
    #expect(!network.peers[2].told.contains(.linkUp(network.peers[0].id)))
  }

  @Test("The network's secret lets strangers in on both sides")
  func networkSecret() {
    var settings = OverlaySettings()
    settings.networkSecret = [UInt8](repeating: 1, count: 32)
    let network = VirtualNetwork(0)
    network.add(seed: 1, settings)
    network.add(seed: 2, settings)
    settings.networkSecret = [UInt8](repeating: 2, count: 32)
    network.add(seed: 3, settings)
    network.connect(0, 1, expecting: nil)
    network.connect(0, 2, expecting: nil)
    network.run(for: Self.second)
    #expect(network.peers[0].overlay.linked == [network.peers[1].id])
    #expect(network.peers[0].roster.count == 1)
  }

  @Test("A connection that says nothing is closed after five seconds, not before")
  func silent() {
    let peer = RawPeer()
    #expect(peer.overlay.deadline == peer.now.monotonic + 5 * Self.second)
    let before = Moment(monotonic: peer.now.monotonic + 5 * Self.second - 1, wall: 0)
    peer.overlay.advance(roster: peer.overlayRoster, now: before)
    #expect(peer.overlay.actions.isEmpty)
    let then = Moment(monotonic: before.monotonic + 1, wall: 0)
    peer.overlay.advance(roster: peer.overlayRoster, now: then)
    #expect(peer.overlay.actions == [.close(link: 1, .timeout)])
  }

  @Test("One connection more in its handshake than the limit is closed")
  func handshakeLimit() {
    let peer = RawPeer()
    for link in 2...65 { peer.overlay.opened(link, isInitiator: false, now: peer.now) }
    #expect(peer.overlay.actions.count == 1)
    guard case .close(65, .flood)? = peer.overlay.actions.first else {
      Issue.record("link 65 was not closed")
      return
    }
  }

  @Test("A silent peer is closed at the third missed ping, a talking one is not")
  func liveness() {
    let network = VirtualNetwork(2)
    network.link(0, 1)
    network.run(for: 120 * Self.second)
    #expect(network.peers[0].overlay.linked.count == 1)
    network.freeze(1)
    let before = network.time
    #expect(network.wait(60) { network.peers[0].overlay.linked.isEmpty })
    #expect(network.peers[0].told.contains(.linkDown(network.peers[1].id, .unanswered)))
    let passed = network.time - before
    #expect((20 * Self.second...40 * Self.second).contains(passed))
  }

  @Test("Round trips are smoothed by an eighth")
  func smoothing() {
    var roundTrip = RoundTrip(800)
    roundTrip.add(1600)
    #expect(roundTrip.smoothed == 900 && roundTrip.last == 1600)
  }

  @Test("A byte changed on the wire ends the link, wherever it is")
  func tampered() {
    for skipped in [0, 1, 2, 40, 600] {
      let network = VirtualNetwork(2)
      network.link(0, 1)
      var isDone = false
      network.tamper = { _, bytes in
        guard !isDone else { return bytes }
        isDone = true
        var changed = bytes
        changed[min(skipped, bytes.count - 1)] ^= 1
        return changed
      }
      network.run(for: 70 * Self.second)
      #expect(isDone)
      let reasons = network.peers.flatMap(\.told).filter {
        if case .close(_, let closure) = $0 { closure != .lost } else { false }
      }
      #expect(!reasons.isEmpty, "byte \(skipped)")
    }
  }

  @Test("A message played again ends the link")
  func replayed() {
    let network = VirtualNetwork(2)
    network.link(0, 1)
    network.tamper = { _, bytes in bytes + bytes }
    network.run(for: 11 * Self.second)
    let closures = network.peers.flatMap(\.told).filter {
      $0 == .close(link: 1, .malformed("is not authentic"))
        || $0 == .close(link: 2, .malformed("is not authentic"))
    }
    #expect(!closures.isEmpty)
  }

  @Test("Frames that fit nowhere end the link, each with its reason")
  func misfits() {
    let cell = Self.cell().bytes
    let window: [UInt8] = [0, 0, 0, 1]
    let frames: [HTXFrame] = [
      HTXFrame(stream: 0, kind: .data, payload: Array(cell.dropLast())),
      HTXFrame(stream: 0, kind: .data, payload: cell + [0]),
      HTXFrame(stream: 0, kind: .padding, payload: []),
      HTXFrame(stream: 0, kind: .window, payload: window),
      HTXFrame(stream: 0, kind: .control, payload: CallControl.cancel.payload),
      HTXFrame(stream: 0, kind: .ping, payload: [0, 1]),
      HTXFrame(stream: 0, kind: .ping, payload: [2, 0, 0, 0, 0, 0, 0, 0, 1]),
      HTXFrame(stream: 0, kind: .keyUpdate, payload: [1]),
      HTXFrame(stream: 1, kind: .ping, payload: [0, 0, 0, 0, 0, 0, 0, 0, 1]),
      HTXFrame(stream: 1, kind: .data, payload: [1]),
      HTXFrame(stream: 1, kind: .window, payload: window),
      HTXFrame(stream: 2, kind: .data, payload: [1]),
      HTXFrame(stream: 1, kind: .control, payload: CallControl.answer(json: 0, bytes: 0).payload),
      HTXFrame(
        stream: 2,
        kind: .control,
        payload: CallControl.request(method: "a", json: 0, bytes: 0).payload
      ),
    ]
    for frame in frames {
      let peer = RawPeer()
      peer.exchange()
      peer.send(frame)
      guard case .malformed? = peer.refused else {
        Issue.record(
          "\(frame.kind) on \(frame.stream) was taken: \(String(describing: peer.refused))"
        )
        continue
      }
    }
  }

  @Test("A frame behind the end of a key ends the link")
  func behindKeyUpdate() {
    let peer = RawPeer()
    peer.exchange()
    guard var cipher = peer.link.sender else {
      Issue.record("the link is not established")
      return
    }
    let update = HTXFrame(stream: 0, kind: .keyUpdate, payload: []).bytes
    peer.link.frameMessage(cipher.seal(update + update))
    peer.exchange()
    #expect(peer.refused == .malformed("has something behind the end of a key"))
  }

  @Test("A frame in many messages, and many in one, are read")
  func splitFrames() {
    let peer = RawPeer()
    peer.exchange()
    guard var cipher = peer.link.sender else {
      Issue.record("the link is not established")
      return
    }
    let ping = HTXFrame(stream: 0, kind: .ping, payload: [0, 0, 0, 0, 0, 0, 0, 9, 9]).bytes
    for byte in ping { peer.link.frameMessage(cipher.seal([byte])) }
    peer.link.frameMessage(cipher.seal(ping + ping))
    let before = peer.overlay.traffic.bytesOut
    peer.exchange()
    #expect(peer.refused == nil)
    // Three answers: two bytes of length, 14 of frame, 16 of tag.
    #expect(peer.overlay.traffic.bytesOut - before == 3 * 32)
  }

  @Test("A peer that asks more than it takes answers is cut off")
  func pingFlood() {
    var settings = OverlaySettings()
    settings.link.queueLimit = 1
    let peer = RawPeer(settings)
    peer.exchange()
    peer.link = with(peer.link) { link in
      for number in 0..<1100 as Range<UInt16> {
        link.write(
          HTXFrame(
            stream: 0,
            kind: .ping,
            payload: [0, 0, 0, 0, 0, 0, 0, UInt8(number >> 8), UInt8(number & 255)]
          )
        )
      }
    }
    peer.exchange()
    #expect(peer.refused == .flood("asks more than it takes answers"))
  }

  private func with(_ link: Link, _ change: (inout Link) -> Void) -> Link {
    var link = link
    change(&link)
    return link
  }

  @Test("What the connection does not take stays in the link, within its limit")
  func backPressure() {
    let network = VirtualNetwork(2)
    network.link(0, 1)
    network.isStalled = true
    let peer = network.peers[1].id
    for number in 1...8 as ClosedRange<UInt64> {
      network.with(0) { overlay, roster, now in
        overlay.call(
          number,
          to: peer,
          method: "a",
          body: CallContent(json: [], bytes: [UInt8](repeating: 1, count: 1 << 20)),
          timeout: Self.second,
          roster: roster,
          now: now
        )
      }
    }
    // Eight windows of 64 KiB would be half a MiB.
    let sent = network.peers[0].overlay.traffic.bytesOut
    #expect(sent < 256 << 10 + 40_000)
    network.with(0) { overlay, _, now in overlay.wrote(200_000, on: 1, now: now) }
    #expect(network.peers[0].overlay.traffic.bytesOut > sent + 100_000)
  }

  @Test("When two peers dial one another at once, the same link stays on both sides")
  func crossing() {
    for (first, second) in [(0, 1), (1, 0)] {
      let network = VirtualNetwork(2)
      network.connect(first, second, expecting: network.peers[second].id)
      network.connect(second, first, expecting: network.peers[first].id)
      network.run(for: 60 * Self.second)
      let smaller = network.peers[0].id < network.peers[1].id ? 0 : 1
      for index in 0...1 {
        let states = network.peers[index].overlay.states
        #expect(states.count == 1)
        #expect(states.first?.isInitiator == (index == smaller))
        let told = network.peers[index].told
        #expect(told.filter { $0 == .linkUp(network.peers[1 - index].id) }.count == 1)
        #expect(!told.contains { if case .linkDown = $0 { true } else { false } })
      }
    }
  }

  @Test("A peer that has lost its old link gets a new one")
  func redials() {
    let network = VirtualNetwork(2)
    for dialler in 0...1 {
      network.link(0, 1)
      network.run(for: 15 * Self.second)
      network.connect(dialler, 1 - dialler, expecting: network.peers[1 - dialler].id)
      network.run(for: Self.second)
      for index in 0...1 {
        let states = network.peers[index].overlay.states
        #expect(states.count == 1 && states.first?.isInitiator == (index == dialler))
      }
      network.run(for: 15 * Self.second)
    }
  }

  @Test("A banned peer's link ends")
  func drops() {
    let network = VirtualNetwork(2)
    network.link(0, 1)
    let peer = network.peers[1].id
    network.with(0) { overlay, roster, now in
      roster.ban(peer)
      overlay.drop(peer, now: now)
    }
    #expect(network.peers[0].told.contains(.linkDown(peer, .stopped)))
    network.connect(1, 0, expecting: network.peers[0].id)
    network.run(for: Self.second)
    #expect(network.peers[0].overlay.linked.isEmpty)
  }

  @Test(
    "Cover keeps up its rate on an idle link, in messages as long as cells, and stands back for them"
  )
  func cover() {
    var settings = OverlaySettings()
    settings.cover = 10
    let network = VirtualNetwork(4, settings: settings)
    network.link(0, 1)
    let before = network.peers[0].overlay.traffic
    network.run(for: 10 * Self.second)
    let idle = network.peers[0].overlay.traffic
    #expect((99...101).contains(idle.paddingOut - before.paddingOut))
    #expect(network.peers[1].overlay.traffic.paddingIn >= 99)
    // One cell's worth: length, frame header, cell, tag.
    let pings = 2 * (2 + 14 + 16) as UInt64
    let bytes = idle.bytesOut - before.bytesOut - pings
    #expect(bytes == (idle.paddingOut - before.paddingOut) * (2 + 5 + UInt64(Cell.size) + 16))
  }
}
