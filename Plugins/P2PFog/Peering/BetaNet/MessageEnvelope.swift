/// A message as it travels inside a circuit: its bytes, and its sender's signature for this one recipient.
///
/// The signature names the recipient, so that a recipient cannot pass the message on as if it were meant for another.
enum MessageEnvelope {
  /// Bytes of the longest envelope: fixed parts, three texts with their lengths, payload and signature.
  static let sizeLimit =
    PeerMessage.idSize + 2 * PeerID.size + 2 * (2 + 128) + (2 + 32) + 1 + 8 + 4
    + PeerMessage.payloadLimit + Ed25519.signatureSize
  private static let context = Array("aivillage betanet message 1".utf8)

  /// Signs a message.
  static func seal(_ message: PeerMessage, _ identity: Identity) -> [UInt8] {
    var writer = ByteWriter()
    message.write(to: &writer)
    let recipient = message.recipient?.bytes ?? []
    return writer.bytes + identity.sign(context + recipient + writer.bytes)
  }

  /// Reads a message for `own`.
  ///
  /// - Throws: When it is malformed, meant for another peer, or not by who it says.
  static func open(_ envelope: [UInt8], own: PeerID) throws(MalformedPacket) -> PeerMessage {
    guard envelope.count >= Ed25519.signatureSize else { throw MalformedPacket("ends too early") }
    let content = Array(envelope.dropLast(Ed25519.signatureSize))
    var reader = ByteReader(content)
    let message = try PeerMessage(from: &reader)
    try reader.end()
    guard message.recipient == own else { throw MalformedPacket("is for another peer") }
    let signature = Array(envelope.suffix(Ed25519.signatureSize))
    guard Ed25519.isValid(signature, of: context + own.bytes + content, by: message.sender) else {
      throw MalformedPacket("is not by its sender")
    }
    return message
  }

  /// The relay contents that carry an envelope.
  static func contents(_ envelope: [UInt8]) -> [RelayContent] {
    var length = ByteWriter()
    length.number(UInt32(envelope.count))
    let first = min(envelope.count, RelayContent.dataLimit - 4)
    var contents = [RelayContent(.begin, length.bytes + Array(envelope[..<first]))]
    for start in stride(from: first, to: envelope.count, by: RelayContent.dataLimit) {
      let end = min(envelope.count, start + RelayContent.dataLimit)
      contents.append(RelayContent(.data, Array(envelope[start..<end])))
    }
    return contents
  }
}

/// An envelope that arrives over a circuit.
struct EnvelopeReader: Sendable {
  private let total: Int
  private var bytes: [UInt8] = []
  /// Until when it has to be whole.
  let deadline: UInt64

  /// Begins with the data of BEGIN.
  init(_ data: [UInt8], deadline: UInt64) throws(MalformedPacket) {
    var reader = ByteReader(data)
    total = Int(try reader.number(UInt32.self))
    self.deadline = deadline
    guard total <= MessageEnvelope.sizeLimit else {
      throw MalformedPacket("announces a message of \(total) bytes")
    }
    try append(reader.rest())
  }

  /// What it will cost.
  var size: Int { total }

  /// The envelope, once it is whole.
  var envelope: [UInt8]? { bytes.count == total ? bytes : nil }

  /// Takes the data of DATA.
  mutating func append(_ data: [UInt8]) throws(MalformedPacket) {
    guard !data.isEmpty, bytes.count + data.count <= total else {
      throw MalformedPacket("has more of a message than was announced")
    }
    bytes += data
  }
}
