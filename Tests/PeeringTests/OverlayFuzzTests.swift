import TestSupport
import Testing

@testable import Peering

@Suite struct OverlayFuzzTests {
  @Test(
    "Random bytes in place of a handshake end the connection and nothing else",
    arguments: 0..<4
  )
  func handshakeBytes(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<200 {
      let peer = RawPeer()
      var bytes = generator.bytes(upTo: 300)
      if Bool.random(using: &generator) { bytes = [1, 0, UInt8(bytes.count & 0xFF)] + bytes }
      peer.overlay.receive(bytes, on: 1, roster: &peer.overlayRoster, now: peer.now)
      peer.overlay.receive(
        generator.bytes(upTo: 50),
        on: 1,
        roster: &peer.overlayRoster,
        now: peer.now
      )
      #expect(peer.overlay.linked.isEmpty)
    }
  }

  @Test(
    "A frame stream read in pieces is the stream read at once, to the same error",
    arguments: 0..<4
  )
  func frames(seed: UInt64) {
    var generator = SeededGenerator(seed: seed &+ 100)
    for _ in 0..<500 {
      var bytes: [UInt8] = []
      for _ in 0..<Int.random(in: 0...5, using: &generator) {
        let shift = UInt32.random(in: 0...27, using: &generator)
        bytes +=
          HTXFrame(
            stream: HTXFrame.streamLimit >> shift
              & UInt32.random(in: 0 ... .max, using: &generator),
            kind: HTXFrame.Kind.allCases.randomElement(using: &generator) ?? .data,
            payload: generator.bytes(upTo: 40)
          ).bytes
      }
      if !bytes.isEmpty, Bool.random(using: &generator) {
        bytes[Int.random(in: 0..<bytes.count, using: &generator)] = .random(
          in: .min ... .max,
          using: &generator
        )
      }
      let whole = Self.decode(bytes, step: max(1, bytes.count))
      let cut = Self.decode(bytes, step: 1)
      #expect(whole.frames == cut.frames && whole.error == cut.error)
    }
  }

  private static func decode(_ bytes: [UInt8], step: Int) -> (
    frames: [HTXFrame], error: MalformedPacket?
  ) {
    var decoder = HTXFrameDecoder()
    var frames: [HTXFrame] = []
    do throws(MalformedPacket) {
      for start in stride(from: 0, to: bytes.count, by: step) {
        decoder.append(Array(bytes[start..<min(bytes.count, start + step)]))
        while let frame = try decoder.next() { frames.append(frame) }
      }
    } catch {
      return (frames, error)
    }
    return (frames, nil)
  }

  @Test("A let-in peer that sends random frames and cells ends its link at worst", arguments: 0..<8)
  func authenticated(seed: UInt64) {
    var generator = SeededGenerator(seed: seed &+ 200)
    for _ in 0..<60 {
      let peer = RawPeer(isInitiator: Bool.random(using: &generator))
      peer.exchange()
      let handshake = CircuitHandshake(with: RawPeer.record(peer.overlayIdentity))
      var layer: CircuitLayer?
      for _ in 0..<40 where peer.refused == nil {
        peer.send(Self.frame(peer, handshake, &layer, &generator))
        if layer == nil, let reply = peer.cells.first(where: { $0.command == .created }) {
          layer = try? handshake.finish(reply.payload)
        }
        peer.now = Moment(
          monotonic: peer.now.monotonic + .random(in: 0...5_000_000_000, using: &generator),
          wall: peer.now.wall
        )
        peer.overlay.advance(roster: peer.overlayRoster, now: peer.now)
        peer.exchange()
      }
      peer.overlay.closed(1, now: peer.now)
      #expect(peer.overlay.linked.isEmpty && peer.overlay.circuits.transits.isEmpty)
    }
  }

  private static func frame(
    _ peer: RawPeer,
    _ handshake: CircuitHandshake,
    _ layer: inout CircuitLayer?,
    _ generator: inout SeededGenerator
  ) -> HTXFrame {
    let mark: UInt32 = peer.link.isInitiator ? 0x8000_0000 : 0
    switch Int.random(in: 0..<10, using: &generator) {
    case 0:
      return HTXFrame(
        stream: .random(in: 0...20, using: &generator),
        kind: HTXFrame.Kind.allCases.randomElement(using: &generator) ?? .data,
        payload: generator.bytes(upTo: 100)
      )
    case 1, 2:
      let control = CallControl.request(
        method: "m",
        json: .random(in: 0...100, using: &generator),
        bytes: .random(in: 0...200_000, using: &generator)
      )
      return HTXFrame(
        stream: .random(in: 0...40, using: &generator) * 2 + (mark == 0 ? 0 : 1),
        kind: .control,
        payload: control.payload
      )
    case 3, 4:
      let cell = Cell(circuit: mark | 1, command: .create, payload: handshake.request)
      return HTXFrame(stream: 0, kind: .data, payload: cell.bytes)
    case 5:
      let cell = Cell(
        circuit: mark | .random(in: 1...3, using: &generator),
        command: Cell.Command(rawValue: .random(in: 1...4, using: &generator)) ?? .relay,
        payload: generator.bytes(upTo: 512)
      )
      return HTXFrame(stream: 0, kind: .data, payload: cell.bytes)
    default:
      guard var own = layer else {
        return HTXFrame(
          stream: 0,
          kind: .padding,
          payload: [UInt8](repeating: 0, count: Cell.size)
        )
      }
      let command = RelayContent.Command(rawValue: .random(in: 1...7, using: &generator)) ?? .data
      let length: [UInt8] = [0, 0, .random(in: 0...4, using: &generator), 200]
      let data = (command == .begin ? length : []) + generator.bytes(upTo: 480)
      let payload = own.forward.pass(own.forward.tagged(RelayContent(command, data)))
      layer = own
      return HTXFrame(
        stream: 0,
        kind: .data,
        payload: Cell(circuit: mark | 1, command: .relay, payload: payload).bytes
      )
    }
  }

  @Test(
    "Whatever happens to links, every message and every call ends exactly once",
    arguments: 0..<6
  )
  func exactlyOnce(seed: UInt64) {
    var generator = SeededGenerator(seed: seed &+ 300)
    var settings = OverlaySettings()
    settings.link.keyMessages = 50
    settings.rotateMessages = 4
    let network = VirtualNetwork(6, settings: settings)
    network.piece = Int.random(in: 200...4000, using: &generator)
    for peer in network.peers { peer.serve = { _, body in .success(body) } }
    var messages: [[UInt8]: Int] = [:]
    var calls: [UInt64: Int] = [:]
    for step in 0..<120 as Range<UInt64> {
      let from = Int.random(in: 0..<6, using: &generator)
      let to = (from + Int.random(in: 1..<6, using: &generator)) % 6
      switch Int.random(in: 0..<6, using: &generator) {
      case 0...2:
        let payload = [UInt8](repeating: 1, count: .random(in: 0...6000, using: &generator))
        let id = network.send(
          network.message(from: from, to: to, payload),
          from: from,
          hops: .random(in: 2...5, using: &generator)
        )
        messages[id] = from
      case 3:
        let size = Int.random(in: 0...100_000, using: &generator)
        let peer = network.peers[to].id
        network.with(from) { overlay, roster, now in
          overlay.call(
            step,
            to: peer,
            method: "echo",
            body: CallContent(json: [], bytes: [UInt8](repeating: 1, count: size)),
            timeout: .random(in: 1...5_000_000_000, using: &generator),
            roster: roster,
            now: now
          )
        }
        calls[step] = from
      case 4: network.cut(&generator)
      default:
        var isDone = Bool.random(using: &generator)
        network.tamper = { _, bytes in
          guard !isDone else { return bytes }
          isDone = true
          var changed = bytes
          changed[bytes.count / 2] ^= 1
          return changed
        }
      }
      network.run(for: .random(in: 0...100_000_000, using: &generator))
    }
    network.tamper = nil
    network.run(for: 300 * VirtualNetwork.second)
    Self.check(network, messages, calls)
  }

  private static func check(
    _ network: VirtualNetwork,
    _ messages: [[UInt8]: Int],
    _ calls: [UInt64: Int]
  ) {
    #expect(messages.count > 30 && calls.count > 5)
    for (id, from) in messages {
      let ends = network.receipts(from).count { $0 == id }
      let failures = network.peers[from].told.count {
        if case .undelivered(id, _) = $0 { true } else { false }
      }
      let times = network.peers.indices.reduce(0) { sum, peer in
        sum + network.received(peer).count { $0.id == id }
      }
      #expect(ends + failures == 1)
      #expect(times <= 1 && (ends == 0 || times == 1))
    }
    for (call, from) in calls {
      let ends = network.peers[from].told.count {
        if case .answered(call, _) = $0 { true } else { false }
      }
      #expect(ends == 1)
    }
    #expect(network.peers.allSatisfy { $0.overlay.waitingMessages == 0 })
  }
}
