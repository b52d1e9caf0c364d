/// What a layered payload says to the hop that it is for.
///
/// 16 bytes of tag (see `CircuitLayer`), one of command, two of length, the data, and zeros that no layer lets be seen.
struct RelayContent: Equatable, Sendable {
  /// Bytes in front that prove who made it.
  static let tagSize = 16
  /// Bytes of the longest data.
  static let dataLimit = Cell.payloadSize - tagSize - 3

  /// What is said.
  enum Command: UInt8, Sendable {
    /// To the last hop: lengthen the circuit to the peer that the request names (tor-spec, section 5.3).
    case extend = 1
    /// From it: the new hop's reply.
    case extended = 2
    /// From a hop: what was behind it is gone, or was never reached; one byte of `CircuitEnd`.
    case truncated = 3
    /// To the last hop: four bytes of length, and the beginning of an envelope.
    case begin = 4
    /// To the last hop: the next part of it.
    case data = 5
    /// From the last hop: the message of this identifier was taken, now or before.
    case receipt = 6
    /// From the last hop: the message of this identifier was not taken; one byte of `MessageRefusal`.
    case refused = 7
  }

  let command: Command
  let data: [UInt8]

  init(_ command: Command, _ data: [UInt8]) {
    precondition(data.count <= Self.dataLimit)
    self.command = command
    self.data = data
  }

  /// Reads a content whose tag was right.
  init(_ bytes: [UInt8]) throws(MalformedPacket) {
    var reader = ByteReader(bytes)
    guard let command = Command(rawValue: try reader.number()) else {
      throw MalformedPacket("has an unknown relay command")
    }
    self.command = command
    data = try reader.counted(atMost: Self.dataLimit)
    guard reader.rest().allSatisfy({ $0 == 0 }) else {
      throw MalformedPacket("has something behind its data")
    }
  }

  /// Without the tag.
  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.number(command.rawValue)
    writer.counted(data)
    writer.raw([UInt8](repeating: 0, count: Self.dataLimit - data.count))
    return writer.bytes
  }
}
