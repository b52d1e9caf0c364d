/// One piece of news about a member, as gossip carries it.
///
/// A member's incarnation (SWIM section 4.2) is the sequence of its signed record: nobody else can say that it is alive
/// again, and an incarnation that was never signed is never believed.
struct MemberUpdate: Sendable, Equatable {
  let state: MemberState
  let id: PeerID
  let sequence: UInt64
  /// The record's bytes for `alive`, 32 bytes of who suspects for `suspect`, otherwise empty.
  let detail: [UInt8]

  static func alive(_ record: PeerRecord) -> MemberUpdate {
    MemberUpdate(state: .alive, id: record.id, sequence: record.sequence, detail: record.bytes)
  }

  static func suspect(_ id: PeerID, _ sequence: UInt64, by accuser: PeerID) -> MemberUpdate {
    MemberUpdate(state: .suspect, id: id, sequence: sequence, detail: accuser.bytes)
  }

  /// Of a member that is dead or has left.
  static func gone(_ state: MemberState, _ id: PeerID, _ sequence: UInt64) -> MemberUpdate {
    MemberUpdate(state: state, id: id, sequence: sequence, detail: [])
  }

  private init(state: MemberState, id: PeerID, sequence: UInt64, detail: [UInt8]) {
    self.state = state
    self.id = id
    self.sequence = sequence
    self.detail = detail
  }

  /// Bytes that `write` appends.
  var size: Int {
    switch state {
    case .alive: 3 + detail.count
    case .suspect: 41 + PeerID.size
    case .dead, .left: 41
    }
  }

  func write(to writer: inout ByteWriter) {
    writer.number(state.rawValue)
    if state == .alive {
      writer.counted(detail)
    } else {
      writer.raw(id.bytes)
      writer.number(sequence)
      writer.raw(detail)
    }
  }

  /// Reads an update; a record's signature is left unchecked, as most are known already and a check costs 80 µs.
  init(from reader: inout ByteReader) throws(MalformedPacket) {
    guard let state = MemberState(rawValue: try reader.number()) else {
      throw MalformedPacket("has an unknown state of a member")
    }
    self.state = state
    guard state == .alive else {
      id = try reader.peer()
      sequence = try reader.number()
      detail = state == .suspect ? try reader.peer().bytes : []
      return
    }
    detail = try reader.counted(atMost: PeerRecord.sizeLimit)
    var head = ByteReader(detail)
    id = try head.peer()
    _ = try head.raw(X25519.size)
    sequence = try head.number()
  }

  /// The record of an `alive`, its signature checked.
  func record() throws(MalformedPacket) -> PeerRecord {
    var reader = ByteReader(detail)
    let record = try PeerRecord(from: &reader)
    try reader.end()
    return record
  }
}
