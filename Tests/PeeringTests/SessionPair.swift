import Peering

/// Two peers' sessions whose datagrams the test carries itself.
struct SessionPair {
  struct Side {
    var sessions: DatagramSessions
    var roster: Roster
    let endpoint: Endpoint
    /// What it has told beside datagrams.
    var told: [DatagramSessions.Output] = []

    var id: PeerID { roster.own }

    var frames: [[UInt8]] {
      (told + sessions.outputs).compactMap {
        if case .frame(let frame, _) = $0 { frame } else { nil }
      }
    }
  }

  var left: Side
  var right: Side
  /// Virtual nanoseconds.
  var time: UInt64 = 1_000_000_000

  /// Two peers that know each other, or not.
  init(
    leftKnows: Bool = true,
    rightKnows: Bool = true,
    settings: SessionSettings = SessionSettings(),
    leftSecret: [UInt8]? = nil,
    rightSecret: [UInt8]? = nil
  ) {
    left = Self.side(1, settings, leftSecret)
    right = Self.side(2, settings, rightSecret)
    if leftKnows { left.roster.restore(right.sessions.record) }
    if rightKnows { right.roster.restore(left.sessions.record) }
  }

  var now: Moment { Moment(monotonic: time, wall: 1_700_000_000_000 + time / 1_000_000) }

  static func side(_ index: Int, _ settings: SessionSettings, _ secret: [UInt8]? = nil) -> Side {
    let identity = SimulatedNetwork.identity(index)
    let endpoint = SimulatedNetwork.endpoint(index)
    let record = PeerRecord(identity, sequence: 1, endpoint: endpoint, name: "side \(index)")
    let sessions = DatagramSessions(
      identity: identity,
      record: record,
      networkSecret: secret,
      settings: settings,
      random: SeededRandom(seed: UInt64(index))
    )
    return Side(
      sessions: sessions,
      roster: Roster(own: identity.id, admitsIntroduced: false),
      endpoint: endpoint
    )
  }

  /// Takes what a side wants sent.
  static func datagrams(of side: inout Side) -> [[UInt8]] {
    let outputs = side.sessions.outputs
    side.sessions.outputs = []
    var datagrams: [[UInt8]] = []
    for output in outputs {
      if case .datagram(let bytes, _) = output {
        datagrams.append(bytes)
      } else {
        side.told.append(output)
      }
    }
    return datagrams
  }

  mutating func open(asked: Bool = false, invitation: [UInt8]? = nil) {
    left.sessions.open(
      right.endpoint,
      expecting: right.id,
      invitation: invitation,
      isAsked: asked,
      now: time
    )
  }

  mutating func giveRight(_ datagram: [UInt8], from endpoint: Endpoint? = nil) {
    right.sessions.receive(
      datagram,
      from: endpoint ?? left.endpoint,
      roster: &right.roster,
      now: now
    )
  }

  mutating func giveLeft(_ datagram: [UInt8]) {
    left.sessions.receive(datagram, from: right.endpoint, roster: &left.roster, now: now)
  }

  /// Carries everything until nobody has anything to say.
  mutating func settle() {
    while true {
      let toRight = Self.datagrams(of: &left)
      let toLeft = Self.datagrams(of: &right)
      if toRight.isEmpty, toLeft.isEmpty { return }
      for datagram in toRight { giveRight(datagram) }
      for datagram in toLeft { giveLeft(datagram) }
    }
  }

  /// Lets time pass in steps of 50 ms.
  mutating func run(_ nanoseconds: UInt64, carrying: Bool = true) {
    let end = time + nanoseconds
    while time < end {
      time += 50_000_000
      left.sessions.advance(now: time)
      right.sessions.advance(now: time)
      if carrying { settle() }
    }
  }
}
