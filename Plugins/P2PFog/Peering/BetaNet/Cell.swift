/// The unit of circuits on a link; every one has the same size (tor-spec, section 3).
///
/// Four bytes of circuit, one of command, and 512 of payload.
struct Cell: Equatable, Sendable {
  /// Bytes of a cell.
  static let size = 4 + 1 + payloadSize
  /// Bytes of its payload.
  static let payloadSize = 512

  /// What a cell is for.
  enum Command: UInt8, Sendable {
    /// Opens a circuit on this link: the first half of `CircuitHandshake`, then zeros.
    case create = 1
    /// Its second half.
    case created = 2
    /// A layered payload.
    case relay = 3
    /// The circuit is over: one byte of `CircuitEnd`, then zeros.
    case destroy = 4
  }

  /// Random, chosen by who sent CREATE, never 0; means something on one link alone.
  let circuit: UInt32
  let command: Command
  /// 512 bytes.
  let payload: [UInt8]

  /// A cell of at most 512 bytes; zeros are put behind them.
  init(circuit: UInt32, command: Command, payload: [UInt8]) {
    precondition(payload.count <= Self.payloadSize)
    self.circuit = circuit
    self.command = command
    self.payload =
      payload + [UInt8](repeating: 0, count: Self.payloadSize - payload.count)
  }

  init(_ bytes: [UInt8]) throws(MalformedPacket) {
    var reader = ByteReader(bytes)
    circuit = try reader.number()
    guard circuit != 0, let command = Command(rawValue: try reader.number()) else {
      throw MalformedPacket("has a cell of no circuit or an unknown command")
    }
    self.command = command
    payload = try reader.raw(Self.payloadSize)
    try reader.end()
  }

  var bytes: [UInt8] {
    var writer = ByteWriter()
    writer.number(circuit)
    writer.number(command.rawValue)
    writer.raw(payload)
    return writer.bytes
  }
}
