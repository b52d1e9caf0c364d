/// A datagram by which a peer shows itself, on the local network or to who asks.
///
///     version 6 | id(32) port(2) time(8) name(2 + n) | network(0 or 1 and 32) | signature(64)
///
/// The address is where it came from. It makes nobody known: whoever is found still has to pass the handshake.
package struct Beacon: Sendable, Equatable {
  /// Bytes of the longest beacon; a probe is at least as long.
  static let sizeLimit = 2 + 32 + 2 + 8 + 2 + PeerRecord.nameLimit + 33 + 64
  /// Bytes of a probe, which asks for a beacon.
  static let probeSize = 256
  private static let context = Array("aivillage beacon 1".utf8)

  let id: PeerID
  let port: UInt16
  /// Milliseconds since 1970.
  let time: UInt64
  let name: String
  /// The code that only holders of the network's secret can make; `nil` for a peer without one.
  private let code: [UInt8]?
  private let content: [UInt8]
  private let bytes: [UInt8]

  /// Makes and signs a beacon.
  init(_ identity: Identity, port: UInt16, name: String, networkSecret: [UInt8]?, time: UInt64) {
    id = identity.id
    self.port = port
    self.time = time
    self.name = name
    var writer = ByteWriter()
    writer.raw(id.bytes)
    writer.number(port)
    writer.number(time)
    writer.counted(Array(name.utf8))
    content = writer.bytes
    code = networkSecret.map { [content] in KeyDerivation.hmac(Self.context + content, key: $0) }
    writer.number(UInt8(code == nil ? 0 : 1))
    writer.raw(code ?? [])
    writer.raw(identity.sign(Self.context + writer.bytes))
    bytes = writer.bytes
  }

  /// The whole datagram.
  var datagram: [UInt8] {
    var writer = Datagram.header(.beacon)
    writer.raw(bytes)
    return writer.bytes
  }

  /// Reads a datagram and checks its signature.
  init(datagram: [UInt8]) throws(MalformedPacket) {
    guard datagram.count <= Self.sizeLimit else {
      throw MalformedPacket("is too long for a beacon")
    }
    guard Datagram.kind(of: datagram) == .beacon else { throw MalformedPacket("is no beacon") }
    bytes = Array(datagram[2...])
    var reader = ByteReader(bytes)
    id = try reader.peer()
    port = try reader.number()
    time = try reader.number()
    let text = try reader.counted(atMost: PeerRecord.nameLimit)
    guard let name = String(validating: text, as: UTF8.self), port != 0,
      name.unicodeScalars.allSatisfy({ $0.value >= 0x20 && $0.value != 0x7F })
    else { throw MalformedPacket("has a beacon without a name or port") }
    self.name = name
    content = Array(bytes[..<(PeerID.size + 12 + text.count)])
    code = try reader.number(UInt8.self) == 0 ? nil : try reader.raw(32)
    let signed = bytes.count - reader.remaining
    let signature = try reader.raw(Ed25519.signatureSize)
    try reader.end()
    guard Ed25519.isValid(signature, of: Self.context + bytes[..<signed], by: id) else {
      throw MalformedPacket("has a beacon with a wrong signature")
    }
  }

  /// Whether its sender holds the secret of the network.
  func isOf(network secret: [UInt8]?) -> Bool {
    guard let secret, let code else { return false }
    return KeyDerivation.areEqual(code, KeyDerivation.hmac(Self.context + content, key: secret))
  }

  /// The datagram that asks for beacons.
  static var probe: [UInt8] {
    var writer = Datagram.header(.probe)
    writer.raw([UInt8](repeating: 0, count: probeSize - writer.bytes.count))
    return writer.bytes
  }
}
