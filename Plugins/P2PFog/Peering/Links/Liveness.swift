/// Whether the other side of a link is there, and how far away: one ping at a time, at regular intervals.
///
/// Any byte that authenticates is a sign of life, since a ping may stand behind a long body; the round trip is measured on
/// pings alone.
struct Liveness: Sendable {
  private let interval: UInt64
  private let limit: Int
  private var number: UInt64 = 0
  private var sentAt: UInt64?
  private var missed = 0
  private(set) var deadline: UInt64
  private(set) var roundTrip: RoundTrip?

  /// The first ping is due at once.
  init(settings: LinkSettings, now: UInt64) {
    interval = settings.pingInterval
    limit = settings.missedPings
    deadline = now
  }

  /// Takes note that something came.
  mutating func hear() { missed = 0 }

  /// The ping that is due now, if one is.
  ///
  /// - Throws: When too many had no answer.
  mutating func advance(now: UInt64) throws(LinkClosure) -> HTXFrame? {
    guard now >= deadline else { return nil }
    if sentAt != nil {
      missed += 1
      guard missed < limit else { throw .unanswered }
    }
    deadline = now + interval
    number += 1
    sentAt = now
    return Self.frame(0, number)
  }

  /// Takes a ping.
  ///
  /// - Returns: The answer to a question.
  mutating func receive(_ payload: [UInt8], now: UInt64) throws(MalformedPacket) -> HTXFrame? {
    var reader = ByteReader(payload)
    let type = try reader.number(UInt8.self)
    let number = try reader.number(UInt64.self)
    try reader.end()
    switch type {
    case 0: return Self.frame(1, number)
    case 1:
      // An answer to an older ping than the last says nothing of now.
      guard number == self.number, let sentAt else { return nil }
      let sample = now - sentAt
      if roundTrip == nil { roundTrip = RoundTrip(sample) } else { roundTrip?.add(sample) }
      self.sentAt = nil
      return nil
    default: throw MalformedPacket("has a ping of type \(type)")
    }
  }

  private static func frame(_ type: UInt8, _ number: UInt64) -> HTXFrame {
    var writer = ByteWriter()
    writer.number(type)
    writer.number(number)
    return HTXFrame(stream: 0, kind: .ping, payload: writer.bytes)
  }
}
