/// What a peer says of itself, under its signature: the unit of membership that gossip carries.
///
/// Of two records of one peer the one with the higher `sequence` counts. A record is at most `sizeLimit` bytes.
package struct PeerRecord: Sendable, Equatable {
  /// Bytes of the longest record.
  package static let sizeLimit = 320
  /// Bytes of the longest name, UTF-8.
  package static let nameLimit = 64
  private static let context = Array("aivillage peer record 1".utf8)

  /// Whose it is.
  package let id: PeerID
  /// The peer's X25519 public key, 32 bytes.
  package let agreementKey: [UInt8]
  /// Rises with every new record; milliseconds since 1970 when it was made.
  package let sequence: UInt64
  /// Where datagrams and links reach it: UDP and TCP of the same port number.
  package let endpoint: Endpoint
  /// What people call it; printable, at most 64 bytes of UTF-8.
  package let name: String
  /// Over all of the above.
  package let signature: [UInt8]

  /// Makes and signs the record of `identity`.
  ///
  /// - Parameters:
  ///   - identity: Whose record it is.
  ///   - sequence: Higher than that of any record made before.
  ///   - endpoint: As other peers reach it.
  ///   - name: One that `isName` takes.
  package init(_ identity: Identity, sequence: UInt64, endpoint: Endpoint, name: String) {
    precondition(name.utf8.count <= Self.nameLimit)
    id = identity.id
    agreementKey = identity.agreement.publicKey
    self.sequence = sequence
    self.endpoint = endpoint
    self.name = name
    let content = Self.content(id, agreementKey, sequence, endpoint, name)
    signature = identity.sign(Self.context + content)
  }

  /// Reads a record and checks its signature.
  package init(from reader: inout ByteReader) throws(MalformedPacket) {
    id = try reader.peer()
    agreementKey = try reader.raw(X25519.size)
    sequence = try reader.number()
    endpoint = try Endpoint(from: &reader)
    guard endpoint.port != 0 else { throw MalformedPacket("has an endpoint without a port") }
    let bytes = try reader.counted(atMost: Self.nameLimit)
    guard let name = String(validating: bytes, as: UTF8.self), Self.isName(name) else {
      throw MalformedPacket("has a name that is not printable UTF-8")
    }
    self.name = name
    signature = try reader.raw(Ed25519.signatureSize)
    let content = Self.content(id, agreementKey, sequence, endpoint, name)
    guard Ed25519.isValid(signature, of: Self.context + content, by: id) else {
      throw MalformedPacket("has a record with a wrong signature")
    }
  }

  /// Whether `text` may be a peer's name: others refuse the whole record of a peer that is called otherwise.
  package static func isName(_ text: String) -> Bool {
    text.utf8.count <= nameLimit && !text.unicodeScalars.contains(where: \.isControl)
  }

  /// Appends the record as `init(from:)` reads it.
  package func write(to writer: inout ByteWriter) {
    writer.raw(Self.content(id, agreementKey, sequence, endpoint, name))
    writer.raw(signature)
  }

  /// The record as bytes.
  package var bytes: [UInt8] {
    var writer = ByteWriter()
    write(to: &writer)
    return writer.bytes
  }

  private static func content(
    _ id: PeerID,
    _ key: [UInt8],
    _ sequence: UInt64,
    _ endpoint: Endpoint,
    _ name: String
  ) -> [UInt8] {
    var writer = ByteWriter()
    writer.raw(id.bytes)
    writer.raw(key)
    writer.number(sequence)
    endpoint.write(to: &writer)
    writer.counted(Array(name.utf8))
    return writer.bytes
  }
}

extension Unicode.Scalar {
  /// Of the categories that terminals obey rather than print.
  fileprivate var isControl: Bool {
    switch properties.generalCategory {
    case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate: true
    default: false
    }
  }
}
