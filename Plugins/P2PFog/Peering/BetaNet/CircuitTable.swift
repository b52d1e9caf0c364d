/// The circuits that pass this peer, by the links and numbers on which their cells come.
struct CircuitTable: Sendable {
  /// A circuit's number on a link.
  struct Leg: Hashable, Sendable {
    let link: Int
    let circuit: UInt32
  }

  /// Whose cells come on a leg.
  enum Role: Sendable, Equatable {
    /// A circuit of this peer's own; from its first hop.
    case origin(Int)
    /// Another's, from the side of its sender.
    case previous(Int)
    /// Another's, from the side of its recipient.
    case next(Int)
  }

  /// This peer's own circuits, by serial number.
  var origins: [Int: OriginCircuit] = [:]
  /// Circuits of others, by serial number.
  var transits: [Int: TransitCircuit] = [:]
  /// Openings that each link may still ask for.
  var openings: [Int: Allowance] = [:]
  /// Openings refused on each link since the last that was not.
  var refusals: [Int: Int] = [:]

  private var roles: [Leg: Role] = [:]
  private var serial = 0

  /// A number for a new circuit, never used again.
  mutating func nextSerial() -> Int {
    serial += 1
    return serial
  }

  func role(_ leg: Leg) -> Role? { roles[leg] }

  mutating func set(_ role: Role?, _ leg: Leg) { roles[leg] = role }

  /// A random leg on a link that no circuit has.
  ///
  /// The highest bit tells who has chosen the number (tor-spec, section 5.1.1), so that both sides never choose the same.
  func freshLeg(on link: Int, isInitiator: Bool) -> Leg {
    while true {
      let leg = Leg(link: link, circuit: Self.mark(isInitiator) | .random(in: 1...0x7FFF_FFFF))
      if roles[leg] == nil { return leg }
    }
  }

  /// Whether the other side of a link may choose this number.
  static func mayOpen(_ circuit: UInt32, otherIsInitiator: Bool) -> Bool {
    circuit & 0x8000_0000 == mark(otherIsInitiator)
  }

  private static func mark(_ isInitiator: Bool) -> UInt32 { isInitiator ? 0x8000_0000 : 0 }

  /// Circuits of others that were opened over a link.
  func transits(from link: Int) -> Int { transits.values.count { $0.previous.link == link } }

  /// Circuits of others over a link that wait for their next hop.
  func extending(from link: Int) -> Int {
    transits.values.count { $0.previous.link == link && $0.extending != nil }
  }

  /// Bytes of messages that are arriving.
  var arriving: Int { transits.values.reduce(0) { $0 + ($1.reader?.size ?? 0) } }
}
