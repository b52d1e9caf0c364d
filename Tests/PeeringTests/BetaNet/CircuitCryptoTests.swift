import Testing
import Wire

@testable import Peering

@Suite struct CircuitCryptoTests {
  private static func identity(_ seed: UInt8) -> Identity {
    Identity(seed: [UInt8](repeating: seed, count: 32))
  }

  private static func record(_ identity: Identity) -> PeerRecord {
    guard let endpoint = Endpoint(text: "10.0.0.1:7946") else { preconditionFailure() }
    return PeerRecord(identity, sequence: 1, endpoint: endpoint, name: "n")
  }

  @Test("Handshake and layers of a hop are byte for byte those of another implementation")
  func reference() throws {
    for reference in try Reference.cases("circuit") {
      let identity = Identity(seed: try reference.bytes("seed"))
      let x = X25519.KeyPair(privateKey: try reference.bytes("x"))
      let y = X25519.KeyPair(privateKey: try reference.bytes("y"))
      let handshake = CircuitHandshake(with: Self.record(identity), ephemeral: x)
      #expect(handshake.request == (try reference.bytes("request")))
      let (reply, answered) = try CircuitHandshake.answer(handshake.request, identity, ephemeral: y)
      #expect(reply == (try reference.bytes("reply")))
      var hop = answered
      var own = try handshake.finish(reply)
      for (index, expected) in try reference.list("forward").enumerated() {
        let content = RelayContent(.data, Array("payload \(index)".utf8))
        let payload = own.forward.pass(own.forward.tagged(content))
        #expect(payload == expected)
        #expect(try hop.forward.open(payload).content.map { try RelayContent($0) } == content)
      }
      for (index, expected) in try reference.list("backward").enumerated() {
        let content = RelayContent(.data, Array("payload \(index)".utf8))
        let payload = hop.backward.pass(hop.backward.tagged(content))
        #expect(payload == expected)
        #expect(try own.backward.open(payload).content.map { try RelayContent($0) } == content)
      }
    }
  }

  @Test("A handshake that is cut or changed anywhere gives no keys")
  func handshakeChanged() throws {
    let hop = Self.identity(3)
    let handshake = CircuitHandshake(with: Self.record(hop))
    let request = handshake.request
    for index in request.indices {
      #expect(throws: MalformedPacket.self) {
        _ = try CircuitHandshake.answer(Array(request[..<index]), hop)
      }
      var changed = request
      changed[index] ^= 1
      // Another key of the sender's is a valid question, but its answer is not the one that was asked for.
      guard let (reply, _) = try? CircuitHandshake.answer(changed, hop) else { continue }
      #expect(index >= 64)
      #expect(throws: MalformedPacket.self) { _ = try handshake.finish(reply) }
    }
    let (reply, _) = try CircuitHandshake.answer(request, hop)
    for index in reply.indices {
      var changed = reply
      changed[index] ^= 1
      #expect(throws: MalformedPacket.self) { _ = try handshake.finish(changed) }
      #expect(throws: MalformedPacket.self) { _ = try handshake.finish(Array(reply[..<index])) }
    }
    _ = try handshake.finish(reply)
  }

  @Test("Nobody but the named hop can answer, and no key of small order is taken")
  func impostor() throws {
    let handshake = CircuitHandshake(with: Self.record(Self.identity(3)))
    #expect(throws: MalformedPacket.self) {
      _ = try CircuitHandshake.answer(handshake.request, Self.identity(4))
    }
    // The impostor puts its own key in, and relays the answer.
    let impostor = Self.identity(4)
    let request = impostor.id.bytes + impostor.agreement.publicKey + handshake.request.suffix(32)
    let (reply, _) = try CircuitHandshake.answer(request, impostor)
    #expect(throws: MalformedPacket.self) { _ = try handshake.finish(reply) }
    let zeros = [UInt8](repeating: 0, count: 32)
    #expect(throws: MalformedPacket.self) {
      _ = try CircuitHandshake.answer(Array(handshake.request.prefix(64)) + zeros, Self.identity(3))
    }
    #expect(throws: MalformedPacket.self) { _ = try handshake.finish(zeros + zeros) }
  }

  @Test("The same request twice gives different keys: a replayed opening is of no use")
  func replayedRequest() throws {
    let hop = Self.identity(3)
    let handshake = CircuitHandshake(with: Self.record(hop))
    let (reply, _) = try CircuitHandshake.answer(handshake.request, hop)
    let (_, layer) = try CircuitHandshake.answer(handshake.request, hop)
    var own = try handshake.finish(reply)
    var other = layer
    let payload = own.forward.pass(own.forward.tagged(RelayContent(.data, [1])))
    #expect(other.forward.open(payload).content == nil)
  }

  /// A circuit of three hops: the sender's view and the hops' layers.
  private static func circuit() throws -> (origin: OriginCircuit, hops: [CircuitLayer]) {
    let identities = (1...3).map { identity($0) }
    var origin = OriginCircuit(
      to: identities[2].id,
      wantedHops: 3,
      path: identities.map(record),
      step: 1,
      now: 0
    )
    var hops: [CircuitLayer] = []
    for identity in identities {
      let handshake = CircuitHandshake(with: record(identity))
      let (reply, layer) = try CircuitHandshake.answer(handshake.request, identity)
      origin.layers.append(try handshake.finish(reply))
      hops.append(layer)
    }
    return (origin, hops)
  }

  @Test(
    "What is said to the last hop is read by it alone, and no relay sees it or the same bytes as another"
  )
  func layers() throws {
    var (origin, hops) = try Self.circuit()
    let content = RelayContent(.data, Array("the secret of the message".utf8))
    for _ in 0..<5 {
      var payload = origin.seal(content)
      var seen: [[UInt8]] = [payload]
      for hop in 0..<3 {
        let (plain, own) = hops[hop].forward.open(payload)
        #expect((own != nil) == (hop == 2))
        if let own { #expect(try RelayContent(own) == content) }
        payload = plain
        if hop < 2 { seen.append(plain) }
      }
      #expect(Set(seen).count == 3)
      for bytes in seen { #expect(!bytes.contains(content.data)) }
    }
  }

  @Test("What each hop says comes back as that hop's")
  func backward() throws {
    var (origin, hops) = try Self.circuit()
    for hop in [2, 0, 1, 2, 2, 1, 0] {
      let content = RelayContent(.receipt, [UInt8(hop)])
      var payload = hops[hop].backward.pass(hops[hop].backward.tagged(content))
      for index in stride(from: hop - 1, through: 0, by: -1) {
        payload = hops[index].backward.pass(payload)
      }
      let answer = origin.open(payload)
      let opened = try #require(answer)
      #expect(opened.hop == hop)
      #expect(try RelayContent(opened.content) == content)
    }
  }

  @Test("A payload that is changed, repeated, left out or swapped is nobody's at the end")
  func tampered() throws {
    for attack in 0..<4 {
      var (origin, hops) = try Self.circuit()
      let first = origin.seal(RelayContent(.data, [1]))
      let second = origin.seal(RelayContent(.data, [2]))
      var changed = first
      changed[300] ^= 1
      let sent = [[changed], [first, first], [second], [second, first]][attack]
      var contents: [[UInt8]?] = []
      for payload in sent {
        var payload = payload
        var content: [UInt8]?
        for hop in 0..<3 { (payload, content) = hops[hop].forward.open(payload) }
        contents.append(content)
      }
      #expect(contents.last == .some(nil), "attack \(attack)")
    }
  }

  @Test("Cells and contents are refused cut at every byte, and with what they must not have")
  func cells() throws {
    let cell = Cell(circuit: 7, command: .relay, payload: [1, 2])
    #expect(cell.bytes.count == Cell.size)
    #expect(try Cell(cell.bytes) == cell)
    for count in 0..<Cell.size {
      #expect(throws: MalformedPacket.self) { _ = try Cell(Array(cell.bytes[..<count])) }
    }
    #expect(throws: MalformedPacket.self) { _ = try Cell(cell.bytes + [0]) }
    #expect(throws: MalformedPacket.self) { _ = try Cell([0, 0, 0, 0] + cell.bytes[4...]) }
    for command in [0, 5, 255] as [UInt8] {
      var bytes = cell.bytes
      bytes[4] = command
      #expect(throws: MalformedPacket.self) { _ = try Cell(bytes) }
    }
    let content = RelayContent(.data, [UInt8](repeating: 3, count: RelayContent.dataLimit))
    #expect(content.bytes.count == Cell.payloadSize - RelayContent.tagSize)
    #expect(try RelayContent(content.bytes) == content)
    for count in content.bytes.indices {
      #expect(throws: MalformedPacket.self) { _ = try RelayContent(Array(content.bytes[..<count])) }
    }
    for change in [(0, 0), (0, 8), (2, 255)] as [(Int, UInt8)] {
      var bytes = content.bytes
      bytes[change.0] = change.1
      #expect(throws: MalformedPacket.self) { _ = try RelayContent(bytes) }
    }
    var trailing = RelayContent(.data, [1]).bytes
    trailing[trailing.count - 1] = 1
    #expect(throws: MalformedPacket.self) { _ = try RelayContent(trailing) }
  }

  @Test("Paths name no peer twice, begin at a linked one, and take what has failed last")
  func paths() throws {
    let ids = (1...8).map { Self.identity(UInt8($0)).id }
    let recipient = ids[7]
    for hops in 2...6 {
      for _ in 0..<200 {
        let choice = PathChoice(
          candidates: Set(ids.prefix(7)),
          linked: [ids[0], ids[1]],
          failed: [ids[1], ids[6]]
        )
        let path = try #require(choice.path(hops: hops, minimum: hops, to: recipient))
        #expect(path.count == hops && Set(path).count == hops && path.last == recipient)
        #expect(path[0] == ids[0])
        #expect(Set(path).isDisjoint(with: [ids[1], ids[6]]))
      }
    }
    let few = PathChoice(candidates: [ids[0], ids[1]], linked: [], failed: [ids[0], ids[1]])
    #expect(few.path(hops: 3, minimum: 3, to: recipient)?.count == 3)
    #expect(few.path(hops: 4, minimum: 4, to: recipient) == nil)
    #expect(few.path(hops: 4, minimum: 2, to: recipient)?.count == 3)
    let none = PathChoice(candidates: [], linked: [], failed: [])
    #expect(none.path(hops: 2, minimum: 2, to: recipient) == nil)
  }

  @Test("Every peer comes to stand at every place of a path")
  func spread() {
    let ids = (1...5).map { Self.identity(UInt8($0)).id }
    let choice = PathChoice(candidates: Set(ids.prefix(4)), linked: [], failed: [])
    var seen: Set<[PeerID]> = []
    for _ in 0..<2000 { seen.insert(choice.path(hops: 3, minimum: 3, to: ids[4]) ?? []) }
    #expect(seen.count == 12)
  }
}

extension Array where Element == UInt8 {
  fileprivate func contains(_ other: [UInt8]) -> Bool {
    indices.contains { self[$0...].starts(with: other) }
  }
}
