import Testing
import Wire

@testable import Peering

@Suite struct NoiseTests {
  private static func sides(_ reference: JSON) throws -> [NoiseXX] {
    let keys = try reference.list("keys").map { X25519.KeyPair(privateKey: $0) }
    let prologue = try reference.bytes("prologue")
    return [true, false].map { isInitiator in
      NoiseXX(
        isInitiator: isInitiator,
        own: keys[isInitiator ? 0 : 2],
        prologue: prologue,
        ephemeral: keys[isInitiator ? 1 : 3]
      )
    }
  }

  @Test("Handshake, transport and rekey are byte for byte those of another implementation")
  func reference() throws {
    for reference in try Reference.cases("noise") {
      var sides = try Self.sides(reference)
      let payloads = try reference.list("payloads")
      for (index, expected) in try reference.list("messages").enumerated() {
        let message = try sides[index % 2].write(payloads[index])
        #expect(message == expected)
        #expect(try sides[1 - index % 2].read(message) == payloads[index])
      }
      let hash = try reference.bytes("hash")
      #expect(sides.allSatisfy { $0.isComplete && $0.handshakeHash == hash })
      try Self.transport(sides, reference)
    }
  }

  private static func transport(_ sides: [NoiseXX], _ reference: JSON) throws {
    let keys = sides.map { $0.split() }
    #expect(keys[0].send == keys[1].receive && keys[0].receive == keys[1].send)
    var senders = keys.map { NoiseCipher(key: $0.send) }
    var receivers = keys.map { NoiseCipher(key: $0.receive) }
    let texts = try reference.list("texts")
    for (index, expected) in try reference.list("transport").enumerated() {
      if index == texts.count / 2 {
        for side in 0...1 {
          senders[side].rekey()
          receivers[side].rekey()
        }
      }
      let sealed = senders[index % 2].seal(texts[index])
      #expect(sealed == expected)
      #expect(receivers[1 - index % 2].open(sealed) == texts[index])
    }
  }

  @Test("A message that opened once does not open again, and none out of its turn")
  func order() {
    let key = [UInt8](repeating: 3, count: 32)
    var sender = NoiseCipher(key: key)
    var receiver = NoiseCipher(key: key)
    let messages = (0..<3).map { sender.seal([$0]) }
    #expect(receiver.open(messages[0]) == [0])
    #expect(receiver.open(messages[0]) == nil)
    #expect(receiver.open(messages[2]) == nil)
    #expect(receiver.open(messages[1]) == [1])
    #expect(receiver.open(messages[2], nonce: 2) == [2])
  }

  @Test(
    "A handshake message that is cut or changed anywhere is refused by the one after at the latest"
  )
  func changed() throws {
    let reference = try Reference.cases("noise")[1]
    let messages = try reference.list("messages")
    for number in 0..<3 {
      for index in messages[number].indices {
        var changed = messages
        changed[number][index] ^= 1
        #expect(throws: MalformedPacket.self) { try Self.replay(changed, reference) }
        changed[number] = Array(messages[number][..<index])
        #expect(throws: MalformedPacket.self) { try Self.replay(changed, reference) }
      }
    }
    try Self.replay(messages, reference)
  }

  // Each side reads what is given, and writes what it would.
  private static func replay(_ messages: [[UInt8]], _ reference: JSON) throws {
    var sides = try sides(reference)
    let payloads = try reference.list("payloads")
    for index in 0..<3 {
      let own = try sides[index % 2].write(payloads[index])
      _ = try sides[1 - index % 2].read(messages[index])
      if index == 2 { #expect(own == messages[2]) }
    }
  }

  @Test("A message longer than Noise allows is refused")
  func tooLong() {
    var side = NoiseXX(isInitiator: false, own: .random(), prologue: [])
    #expect(throws: MalformedPacket("is too long for a handshake")) {
      _ = try side.read([UInt8](repeating: 9, count: NoiseXX.messageLimit + 1))
    }
  }
}
