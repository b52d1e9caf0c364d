/// All sessions of this peer and the handshakes that make them; no socket, no clock.
///
/// A session belongs to a peer, not to an address: after a handshake, an authentic datagram from elsewhere moves the peer
/// there (WireGuard section 2.1). Who is not let in by the roster gets the second message of a handshake and then silence.
/// Belongs to one thread.
package struct DatagramSessions: Sendable {
  /// What the owner has to do.
  package enum Output: Sendable, Equatable {
    case datagram([UInt8], to: Endpoint)
    /// A frame that a peer sent, proven to be its.
    case frame([UInt8], from: PeerID)
    /// A peer can be sent to; whether it could not be before.
    case opened(PeerID, isNew: Bool)
    /// A peer cannot be sent to any more.
    case closed(PeerID)
    /// A handshake that was asked for is done.
    case connected(PeerID, Endpoint)
    case refused(Endpoint, ConnectRefusal)
  }

  /// A peer with at least one session.
  struct Link: Sendable {
    /// The session that is sent with.
    var current: UInt32
    /// One that may still bring datagrams, until the other has switched too.
    var previous: UInt32?
    var endpoint: Endpoint
    var packets: TokenBucket
    var bytes: TokenBucket
  }

  let identity: Identity
  let settings: SessionSettings
  let networkSecret: [UInt8]?

  /// This peer's newest record, as the next handshake shows it.
  package var record: PeerRecord
  /// What has to be done, oldest first; whoever does it empties it.
  package var outputs: [Output] = []
  /// Datagrams that were not taken, by reason.
  package internal(set) var drops: [DropReason: UInt64] = [:]
  /// Handshakes that led to a session.
  package internal(set) var handshakes: UInt64 = 0

  var random: SeededRandom
  var sessions: [UInt32: DatagramSession] = [:]
  var links: [PeerID: Link] = [:]
  var initiations: [UInt32: Initiation] = [:]
  var halfOpen: HalfOpenHandshakes
  var handshakeBucket: TokenBucket
  var maintainAt: UInt64 = 0

  /// Sessions of a peer, none yet.
  ///
  /// - Parameters:
  ///   - identity: Of this peer.
  ///   - record: Its current record.
  ///   - networkSecret: Of the network, where the operator has set one.
  ///   - settings: Bounds and times.
  ///   - random: For names and nothing secret.
  package init(
    identity: Identity,
    record: PeerRecord,
    networkSecret: [UInt8]?,
    settings: SessionSettings,
    random: SeededRandom
  ) {
    self.identity = identity
    self.record = record
    self.networkSecret = networkSecret
    self.settings = settings
    self.random = random
    halfOpen = HalfOpenHandshakes(settings)
    handshakeBucket = TokenBucket(rate: settings.handshakeRate, burst: settings.handshakeRate)
  }

  /// The peers that can be sent to, in order.
  package var open: [PeerID] { links.keys.sorted() }

  /// How many peers can be sent to.
  package var count: Int { links.count }

  /// Whether `peer` can be sent to.
  package func isOpen(_ peer: PeerID) -> Bool { links[peer] != nil }

  /// Where `peer` was last heard.
  package func endpoint(of peer: PeerID) -> Endpoint? { links[peer]?.endpoint }

  /// When `peer` was last heard, in monotonic nanoseconds.
  package func heardAt(_ peer: PeerID) -> UInt64? {
    links[peer].flatMap { sessions[$0.current] }?.receivedAt
  }

  /// Sends a frame to a peer.
  ///
  /// - Parameters:
  ///   - frame: At most `Datagram.frameLimit` bytes.
  ///   - peer: To whom.
  /// - Returns: False when there is no session with it.
  @discardableResult
  package mutating func send(_ frame: [UInt8], to peer: PeerID) -> Bool {
    guard let link = links[peer], let datagram = sessions[link.current]?.seal(frame) else {
      return false
    }
    outputs.append(.datagram(datagram, to: link.endpoint))
    return true
  }

  /// Ends all sessions with a peer, as when it was banned; it is told nothing.
  package mutating func close(_ peer: PeerID) {
    for (name, session) in sessions where session.peer == peer { sessions[name] = nil }
    for (name, initiation) in initiations where initiation.expected == peer {
      initiations[name] = nil
    }
    if links.removeValue(forKey: peer) != nil { outputs.append(.closed(peer)) }
  }

  /// Takes a datagram of the kinds `first` to `cookie`.
  ///
  /// - Parameters:
  ///   - datagram: As it came.
  ///   - endpoint: From where, as the network says.
  ///   - roster: Decides who is let in.
  ///   - now: The time.
  package mutating func receive(
    _ datagram: [UInt8],
    from endpoint: Endpoint,
    roster: inout Roster,
    now: Moment
  ) {
    do throws(MalformedPacket) {
      switch Datagram.kind(of: datagram) {
      case .first: try receiveFirst(datagram, from: endpoint, now: now.monotonic)
      case .second: try receiveSecond(datagram, from: endpoint, roster: &roster, now: now)
      case .third: try receiveThird(datagram, from: endpoint, roster: &roster, now: now)
      case .data: receiveData(datagram, from: endpoint, now: now.monotonic)
      case .cookie: try receiveCookie(datagram, from: endpoint)
      case .beacon, .probe, nil: drop(.malformed)
      }
    } catch {
      drop(.malformed)
    }
  }

  mutating func drop(_ reason: DropReason) { drops[reason, default: 0] += 1 }

  /// A name that no session or handshake here has.
  mutating func freshName() -> UInt32 {
    while true {
      let name = UInt32.random(in: 1...UInt32.max, using: &random)
      if sessions[name] == nil, initiations[name] == nil, halfOpen[name] == nil { return name }
    }
  }

  private mutating func receiveData(_ datagram: [UInt8], from endpoint: Endpoint, now: UInt64) {
    guard datagram.count >= Datagram.dataHeaderSize else { return drop(.malformed) }
    let name = datagram[2..<6].reduce(UInt32(0)) { $0 << 8 | UInt32($1) }
    guard let opened = sessions[name]?.open(datagram, now: now), let session = sessions[name]
    else { return drop(.noSession) }
    guard case .frame(let frame, let isNewest) = opened else {
      if case .dropped(let reason) = opened { drop(reason) }
      return
    }
    if !session.isConfirmed { confirm(name, from: endpoint, now: now) }
    let peer = session.peer
    if isNewest, links[peer]?.endpoint != endpoint { links[peer]?.endpoint = endpoint }
    let size = Double(datagram.count)
    guard links[peer]?.packets.take(now: now) == true,
      links[peer]?.bytes.take(size, now: now) == true
    else { return drop(.rate) }
    if !frame.isEmpty { outputs.append(.frame(frame, from: peer)) }
  }
}

extension DatagramSessions {
  /// The names under which both sides of the session with a peer that is sent with address it.
  package func current(_ peer: PeerID) -> (own: UInt32, other: UInt32)? {
    links[peer].flatMap { sessions[$0.current] }.map { ($0.ownName, $0.otherName) }
  }
}
