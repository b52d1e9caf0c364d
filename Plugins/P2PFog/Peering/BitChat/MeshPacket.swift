/// One packet of the mesh: a fragment of a message, or an answer of its recipient.
///
///     frame kind(1) hops left(1) hops(1) | kind(1) id(16) attempt(1) origin(32) recipient(32) priority(1) time(8)
///     index(2) count(2) body(2 + n) | signature(64)
///
/// The origin signs what stands between the bars; the hops change on the way. Relays check the signature once for each
/// packet, so that nothing forged travels further than one hop.
package struct MeshPacket: Sendable, Equatable {
  /// What a packet is for.
  package enum Kind: UInt8, Sendable {
    /// A fragment of a message.
    case message = 1
    /// The recipient has the whole message; the body is the hops that it took.
    case receipt
    /// The recipient lacks fragments; the body has a bit for each that is lacking.
    case missing
    /// The recipient does not take the message; the body is one byte of `MessageRefusal`.
    case refused
  }

  /// Hops at most, as the original has it.
  package static let hopLimit: UInt8 = 7
  /// Bytes of a fragment's body at most.
  package static let bodyLimit = 1000
  /// Fragments of the longest message: 64 KiB of payload, texts, and the seal.
  package static let fragmentLimit = 67
  private static let context = Array("aivillage bitchat 1".utf8)

  package let kind: Kind
  /// Of the message.
  package let id: [UInt8]
  /// 1 for the first sending; what is sent again has a new number, or it would count as seen.
  package let attempt: UInt8
  package let origin: PeerID
  package let recipient: PeerID?
  package let priority: UInt8
  /// When this attempt was made, in milliseconds since 1970 by the origin's clock.
  package let time: UInt64
  package let index: UInt16
  package let count: UInt16
  package let body: [UInt8]
  package let signature: [UInt8]
  /// Links that the packet may still pass, this one included.
  package var hopsLeft: UInt8
  /// Links that it has passed before this one.
  package var hops: UInt8

  /// Makes and signs a packet that has not travelled yet.
  package init(
    _ identity: Identity,
    kind: Kind,
    id: [UInt8],
    attempt: UInt8,
    recipient: PeerID?,
    priority: UInt8,
    time: UInt64,
    fragment: (index: Int, count: Int) = (0, 1),
    body: [UInt8],
    hopsLeft: UInt8 = hopLimit
  ) {
    self.kind = kind
    self.id = id
    self.attempt = attempt
    origin = identity.id
    self.recipient = recipient
    self.priority = priority
    self.time = time
    index = UInt16(fragment.index)
    count = UInt16(fragment.count)
    self.body = body
    self.hopsLeft = hopsLeft
    hops = 0
    var writer = ByteWriter()
    writer.raw(Self.context)
    writer.number(kind.rawValue)
    writer.raw(id)
    writer.number(attempt)
    writer.raw(identity.id.bytes)
    writer.raw(recipient?.bytes ?? [UInt8](repeating: 0, count: PeerID.size))
    writer.number(priority)
    writer.number(time)
    writer.number(UInt16(fragment.index))
    writer.number(UInt16(fragment.count))
    writer.counted(body)
    signature = identity.sign(writer.bytes)
  }

  /// Reads a packet after its frame's kind; its signature is for `isAuthentic`, once it is known to be new.
  package init(from reader: inout ByteReader) throws(MalformedPacket) {
    hopsLeft = try reader.number()
    hops = try reader.number()
    guard hopsLeft >= 1, hopsLeft <= Self.hopLimit, hops < Self.hopLimit,
      hopsLeft + hops <= Self.hopLimit
    else { throw MalformedPacket("has hops that no path allows") }
    guard let kind = Kind(rawValue: try reader.number()) else {
      throw MalformedPacket("has an unknown kind")
    }
    self.kind = kind
    id = try reader.raw(PeerMessage.idSize)
    attempt = try reader.number()
    origin = try reader.peer()
    let recipient = try reader.peer()
    self.recipient = recipient.bytes.allSatisfy { $0 == 0 } ? nil : recipient
    priority = try reader.number()
    guard (1...10).contains(priority) else { throw MalformedPacket("has priority \(priority)") }
    time = try reader.number()
    index = try reader.number()
    count = try reader.number()
    guard count >= 1, count <= Self.fragmentLimit, index < count else {
      throw MalformedPacket("has fragment \(index) of \(count)")
    }
    body = try reader.counted(atMost: Self.bodyLimit)
    signature = try reader.raw(Ed25519.signatureSize)
    try reader.end()
    guard kind == .message || (self.recipient != nil && count == 1) else {
      throw MalformedPacket("answers nobody")
    }
  }

  /// The packet as a frame.
  package func frame(_ kind: FrameKind = .packet) -> [UInt8] {
    var writer = kind.writer()
    writer.number(hopsLeft)
    writer.number(hops)
    writeContent(to: &writer)
    writer.raw(signature)
    return writer.bytes
  }

  /// Whether the origin has signed it.
  package var isAuthentic: Bool {
    var writer = ByteWriter()
    writer.raw(Self.context)
    writeContent(to: &writer)
    return Ed25519.isValid(signature, of: writer.bytes, by: origin)
  }

  /// The packet after one more link; `nil` when its hops are used up.
  package var forwarded: MeshPacket? {
    guard hopsLeft > 1 else { return nil }
    var next = self
    next.hopsLeft -= 1
    next.hops += 1
    return next
  }

  private func writeContent(to writer: inout ByteWriter) {
    writer.number(kind.rawValue)
    writer.raw(id)
    writer.number(attempt)
    writer.raw(origin.bytes)
    writer.raw(recipient?.bytes ?? [UInt8](repeating: 0, count: PeerID.size))
    writer.number(priority)
    writer.number(time)
    writer.number(index)
    writer.number(count)
    writer.counted(body)
  }
}
