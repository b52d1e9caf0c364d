import TestSupport
import Testing

@testable import Peering

@Suite struct PacketTests {
  private static let identity = Identity(seed: [UInt8](repeating: 4, count: 32))

  private static func record(_ endpoint: String = "10.1.2.3:7946", name: String = "Käthe")
    -> PeerRecord
  {
    guard let endpoint = Endpoint(text: endpoint) else { preconditionFailure(endpoint) }
    return PeerRecord(identity, sequence: 77, endpoint: endpoint, name: name)
  }

  private static func message(_ change: (inout ByteWriter) -> Void = { _ in }) -> PeerMessage {
    PeerMessage(
      id: [UInt8](repeating: 1, count: 16),
      sender: identity.id,
      recipient: Identity(seed: [UInt8](repeating: 5, count: 32)).id,
      user: String(repeating: "u", count: 128),
      senderUser: "ü",
      kind: "chat.text_1",
      priority: 10,
      sentAt: 1 << 40,
      payload: Array("payload".utf8)
    )
  }

  private static func bytes(of message: PeerMessage) -> [UInt8] {
    var writer = ByteWriter()
    message.write(to: &writer)
    return writer.bytes
  }

  /// Reading must fail for every beginning of `bytes` that is not all of it.
  private static func cut<Value>(
    _ bytes: [UInt8],
    _ read: (inout ByteReader) throws -> Value
  ) throws {
    for count in bytes.indices {
      var reader = ByteReader(Array(bytes[..<count]))
      #expect(throws: MalformedPacket.self) { _ = try read(&reader) }
    }
    var reader = ByteReader(bytes)
    _ = try read(&reader)
    try reader.end()
  }

  @Test("Numbers go through writer and reader in network order")
  func numbers() throws {
    var writer = ByteWriter()
    writer.number(UInt8(0xFE))
    writer.number(UInt16(0x0102))
    writer.number(UInt32(0x0304_0506))
    writer.number(UInt64(0x0708_090A_0B0C_0D0E))
    writer.number(Int64(-2))
    writer.counted([9, 9])
    #expect(
      Array(writer.bytes.prefix(15)) == [0xFE, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14]
    )
    var reader = ByteReader(writer.bytes)
    #expect(try reader.number(UInt8.self) == 0xFE)
    #expect(try reader.number(UInt16.self) == 0x0102)
    #expect(try reader.number(UInt32.self) == 0x0304_0506)
    #expect(try reader.number(UInt64.self) == 0x0708_090A_0B0C_0D0E)
    #expect(try reader.number(Int64.self) == -2)
    #expect(try reader.counted(atMost: 2) == [9, 9])
    try reader.end()
  }

  @Test("A part longer than allowed, a rest, and a negative count are refused")
  func reader() throws {
    var reader = ByteReader([0, 3, 1, 2, 3])
    #expect(throws: MalformedPacket.self) { _ = try reader.counted(atMost: 2) }
    reader = ByteReader([1])
    #expect(throws: MalformedPacket.self) { _ = try reader.raw(-1) }
    #expect(throws: MalformedPacket.self) { try reader.end() }
    let rests = [reader.rest(), reader.rest()]
    #expect(rests == [[1], []])
    try reader.end()
  }

  @Test("A record survives the wire, and is refused cut at every byte")
  func recordCut() throws {
    for endpoint in ["10.1.2.3:7946", "[fe80::1]:1"] {
      let record = Self.record(endpoint)
      var reader = ByteReader(record.bytes)
      #expect(try PeerRecord(from: &reader) == record)
      #expect(record.bytes.count <= PeerRecord.sizeLimit)
      try Self.cut(record.bytes) { try PeerRecord(from: &$0) }
    }
    let longest = Self.record("[fe80::1]:1", name: String(repeating: "x", count: 64))
    #expect(longest.bytes.count <= PeerRecord.sizeLimit)
  }

  @Test("A record with any byte changed is refused")
  func recordChanged() {
    let bytes = Self.record().bytes
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 1
      var reader = ByteReader(changed)
      #expect(throws: MalformedPacket.self) { _ = try PeerRecord(from: &reader) }
    }
  }

  @Test(
    "A signed record with a name that terminals obey, without a port, or of a wrong length is refused",
    arguments: ["line\nbreak", "bell\u{7}", "right\u{202E}left", "zero\u{0}"]
  )
  func recordNames(name: String) {
    var reader = ByteReader(Self.record(name: name).bytes)
    #expect(throws: MalformedPacket.self) { _ = try PeerRecord(from: &reader) }
    reader = ByteReader(Self.record("10.0.0.1:0").bytes)
    #expect(throws: MalformedPacket.self) { _ = try PeerRecord(from: &reader) }
  }

  @Test("A message survives the wire, and is refused cut at every byte")
  func messageCut() throws {
    let message = Self.message()
    let bytes = Self.bytes(of: message)
    var reader = ByteReader(bytes)
    #expect(try PeerMessage(from: &reader) == message)
    try Self.cut(bytes) { try PeerMessage(from: &$0) }
  }

  @Test("A message with a part beyond its limit is refused")
  func messageLimits() {
    let bytes = Self.bytes(of: Self.message())
    let user = 16 + 32 + 32
    let kind = user + 2 + 128 + 2 + 2
    let priority = kind + 2 + 11
    let changes: [(Int, UInt8)] = [
      (user + 1, 129), (kind + 1, 33), (kind + 2, UInt8(ascii: "C")), (priority, 0), (priority, 11),
      (priority + 9, 1), (user + 2, 0xFF),
    ]
    for (index, value) in changes {
      var changed = bytes
      changed[index] = value
      var reader = ByteReader(changed)
      #expect(throws: MalformedPacket.self, "byte \(index)") { _ = try PeerMessage(from: &reader) }
    }
  }

  @Test("The largest payload is read, one byte more is not")
  func payloadLimit() throws {
    for extra in 0...1 {
      let message = PeerMessage(
        id: [UInt8](repeating: 1, count: 16),
        sender: Self.identity.id,
        recipient: nil,
        user: "",
        senderUser: "",
        kind: "a",
        priority: 1,
        sentAt: 0,
        payload: [UInt8](repeating: 0, count: PeerMessage.payloadLimit + extra)
      )
      var reader = ByteReader(Self.bytes(of: message))
      if extra == 0 {
        #expect(try PeerMessage(from: &reader) == message)
      } else {
        #expect(throws: MalformedPacket.self) { _ = try PeerMessage(from: &reader) }
      }
    }
  }

  @Test(
    "Kinds are words of lower case",
    arguments: [
      ("a", true), ("chat.text_1", true), (String(repeating: "a", count: 32), true), ("", false),
      (String(repeating: "a", count: 33), false), ("1a", false), ("_a", false), ("aB", false),
      ("a-b", false), ("ä", false), ("a b", false),
    ]
  )
  func kinds(kind: String, isOne: Bool) {
    #expect(PeerMessage.isKind(kind) == isOne)
  }

  @Test(
    "Endpoints are read and written as people write them",
    arguments: ["127.0.0.1:7946", "0.0.0.0:0", "[::1]:65535", "[2001:db8::7]:1"]
  )
  func endpoints(text: String) throws {
    let endpoint = try #require(Endpoint(text: text))
    #expect(endpoint.description == text)
    var writer = ByteWriter()
    endpoint.write(to: &writer)
    var reader = ByteReader(writer.bytes)
    #expect(try Endpoint(from: &reader) == endpoint)
    try Self.cut(writer.bytes) { try Endpoint(from: &$0) }
  }

  @Test(
    "What is no address and port is no endpoint",
    arguments: [
      "", ":", "127.0.0.1", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:+1",
      "localhost:1", "::1:1", "[127.0.0.1]:1", "[::1]", "[::1:1", "127.0.0.1 :1", "127.0.0.1:1 ",
      "127.0.0.1\u{0}x:1", "1.2.3:4", "256.0.0.1:1", "127.0.0.1:١",
    ]
  )
  func noEndpoints(text: String) {
    #expect(Endpoint(text: text) == nil)
  }

  @Test("An address of neither 4 nor 16 bytes is refused")
  func addressSizes() {
    for count in [0, 3, 5, 15, 17] {
      #expect(Endpoint(address: [UInt8](repeating: 1, count: count), port: 1) == nil)
    }
    var reader = ByteReader([5, 1, 1, 1, 1, 1, 0, 1])
    #expect(throws: MalformedPacket.self) { _ = try Endpoint(from: &reader) }
  }

  @Test("An identity's text is 64 lower-case digits and nothing else")
  func peerText() {
    let id = Self.identity.id
    #expect(PeerID(text: id.description) == id)
    #expect(PeerID(text: id.description.uppercased()) == nil)
    #expect(PeerID(text: String(id.description.dropLast())) == nil)
    #expect(PeerID(text: id.description + "00") == nil)
    #expect(PeerID([UInt8](repeating: 0, count: 31)) == nil)
    #expect(id.short == String(id.description.prefix(12)))
  }

  @Test("Random bytes never pass for a record, and end no reader")
  func random() {
    var generator = SeededGenerator(seed: 5)
    for _ in 0..<3000 {
      let bytes = generator.bytes(upTo: 400)
      var reader = ByteReader(bytes)
      #expect(throws: MalformedPacket.self) { _ = try PeerRecord(from: &reader) }
      reader = ByteReader(bytes)
      _ = try? PeerMessage(from: &reader)
      reader = ByteReader(bytes)
      _ = try? Endpoint(from: &reader)
    }
  }
}
