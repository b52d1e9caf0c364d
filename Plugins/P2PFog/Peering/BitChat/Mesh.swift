/// The mesh of datagrams as one value: sessions, membership, BitChat and discovery; no socket, no thread, no clock.
///
/// The loop hands it datagrams and the time, and does what it finds in `actions`; it calls `advance` at `deadline` at the
/// latest. Belongs to the loop's thread. What has to be stored of peers leaves by the roster's `changes`.
package struct Mesh: Sendable {
  /// What the loop has to do or to tell.
  package enum Action: Sendable, Equatable {
    /// To be sent to one address.
    case datagram([UInt8], to: Endpoint)
    /// To be sent to the group on the local network.
    case multicast([UInt8])
    /// A message for this peer, its sender proven; how many links it passed, and which peer brought it.
    case received(PeerMessage, hops: Int, from: PeerID)
    /// A recipient has the message; the links it passed, and the nanoseconds from `send` to the receipt.
    case receipt([UInt8], hops: Int, roundTrip: UInt64)
    /// A message was given up.
    case undelivered([UInt8], UndeliveredReason)
    /// What is believed of a member has changed.
    case member(PeerID, MemberState)
    /// A beacon came; whether its sender is let in.
    case found(PeerID, Endpoint, name: String, isKnown: Bool)
    /// A handshake that was asked for by `connect` led to a session.
    case connected(PeerID, Endpoint)
    /// A handshake that was asked for did not.
    case refused(Endpoint, ConnectRefusal)
    /// This peer's own record was renewed: links and stores should use this one.
    case record(PeerRecord)
  }

  /// Why a message was given up.
  package enum UndeliveredReason: String, Sendable {
    /// No receipt came before its end; the recipient took part in the network.
    case noReceipt = "no_receipt"
    /// The recipient was away until its end.
    case recipientAway = "recipient_away"
    /// The recipient is no known peer, or its key is unusable.
    case unknownRecipient = "unknown_recipient"
    /// More of its kind are under way than are allowed, and none has a lower priority.
    case full
    /// It is longer than 64 KiB, from the future, or older than messages are kept.
    case refused
    /// The recipient keeps as many of this peer's messages as it keeps of one peer.
    case recipientQuota = "recipient_quota"
  }

  /// Why the loop calls again later.
  enum Timer: Sendable {
    case relay(PendingRelay.Name)
    case pace(MessageKey)
    case retransmit(MessageKey, attempt: UInt8)
    case end(MessageKey)
    case fragments(MessageKey)
    case stored(PeerID)
  }

  let identity: Identity
  let settings: MeshSettings

  /// What has to be done, oldest first; the loop empties it.
  package var actions: [Action] = []

  var sessions: DatagramSessions
  var membership: Membership
  var random: SeededRandom
  var counts = MeshCounters()
  var timers = TimerHeap<Timer>()
  var cache = PacketCache()
  var delivered = DeliveredMessages()
  var reassembly = Reassembly()
  var outbox: MeshOutbox
  var stored: StoredPackets
  var neighbours: Neighbours
  // Peers with a `stored` timer: one is enough.
  var waking: Set<PeerID> = []
  var relays: [PendingRelay.Name: PendingRelay] = [:]
  var originBuckets: [PeerID: TokenBucket] = [:]
  var forgeries: [PeerID: TokenBucket] = [:]
  var beaconBucket = TokenBucket(rate: 50, burst: 100)
  var probeBucket = TokenBucket(rate: 5, burst: 10)
  var beaconAt: UInt64 = 0
  var tickAt: UInt64 = 0
  var tellAt: UInt64 = 0
  // The membership's changes when neighbours were last chosen.
  var chosenAt: UInt64 = .max
  var isLeaving = false

  /// A mesh without sessions.
  ///
  /// - Parameters:
  ///   - identity: Of this peer.
  ///   - record: Its current record; where other peers reach it.
  ///   - settings: Bounds, rates and times.
  ///   - seed: For choices and names, never for keys; random when left out.
  package init(
    identity: Identity,
    record: PeerRecord,
    settings: MeshSettings = MeshSettings(),
    seed: UInt64 = RandomBytes.make(8).reduce(0) { $0 << 8 | UInt64($1) }
  ) {
    self.identity = identity
    self.settings = settings
    random = SeededRandom(seed: seed)
    sessions = DatagramSessions(
      identity: identity,
      record: record,
      networkSecret: settings.networkSecret,
      settings: settings.sessions,
      random: SeededRandom(seed: random.next())
    )
    membership = Membership(
      identity: identity,
      record: record,
      settings: settings.members,
      random: SeededRandom(seed: random.next())
    )
    outbox = MeshOutbox(limit: settings.outboxLimit)
    stored = StoredPackets(
      messageLimit: settings.storeLimit,
      byteLimit: settings.storeBytes,
      originShare: settings.storeShare,
      timeLimit: settings.storeTime
    )
    neighbours = Neighbours(degree: settings.degree, limit: settings.degreeLimit)
  }

  /// Takes a datagram.
  ///
  /// - Parameters:
  ///   - datagram: As it came; any bytes.
  ///   - endpoint: From where, as the socket says.
  ///   - roster: Decides who is let in, and learns records.
  ///   - now: The time.
  package mutating func receive(
    _ datagram: [UInt8],
    from endpoint: Endpoint,
    roster: inout Roster,
    now: Moment
  ) {
    guard !isLeaving else { return }
    guard datagram.count <= Datagram.sizeLimit else { return drop(.oversized) }
    switch Datagram.kind(of: datagram) {
    case .beacon: receiveBeacon(datagram, from: endpoint, roster: roster, now: now)
    case .probe: receiveProbe(datagram, from: endpoint, now: now)
    case .data:
      sessions.receive(datagram, from: endpoint, roster: &roster, now: now)
    case .first, .second, .third, .cookie, nil:
      counts.count(in: .handshake, bytes: datagram.count)
      sessions.receive(datagram, from: endpoint, roster: &roster, now: now)
    }
    settle(roster: &roster, now: now)
  }

  /// When `advance` has something to do, in monotonic nanoseconds; 0 before its first call, `nil` after `leave`.
  package var deadline: UInt64? {
    if isLeaving { return nil }
    var next = tickAt
    for other in [sessions.deadline, membership.deadline, timers.deadline] {
      next = min(next, other ?? .max)
    }
    return settings.isDiscoverable ? min(next, beaconAt) : next
  }

  /// Does what is due.
  ///
  /// - Parameters:
  ///   - roster: As for `receive`; its peers become members.
  ///   - now: The time.
  package mutating func advance(roster: inout Roster, now: Moment) {
    guard !isLeaving else { return }
    if now.monotonic >= tickAt { tick(roster: roster, now: now.monotonic) }
    if settings.isDiscoverable, now.monotonic >= beaconAt { sendBeacon(now: now) }
    sessions.advance(now: now.monotonic)
    membership.advance(roster: &roster, now: now)
    settle(roster: &roster, now: now)
    while let timer = timers.next(now: now.monotonic) {
      fire(timer, roster: roster, now: now)
      settle(roster: &roster, now: now)
    }
  }

  /// Begins a handshake; `connected` or `refused` tells how it ends, once for all calls with one peer while it lasts.
  ///
  /// - Parameters:
  ///   - endpoint: Where the other is.
  ///   - expected: Who has to answer, and is known from then on by the operator's word; `nil` for whoever the roster lets in.
  ///   - invitation: The secret of an invitation of the other, 16 bytes.
  ///   - now: The time.
  package mutating func connect(
    _ endpoint: Endpoint,
    expecting expected: PeerID?,
    invitation: [UInt8]? = nil,
    now: Moment
  ) {
    guard !isLeaving else { return actions.append(.refused(endpoint, .busy)) }
    if let expected, sessions.isOpen(expected), invitation == nil {
      return actions.append(.connected(expected, sessions.endpoint(of: expected) ?? endpoint))
    }
    sessions.open(
      endpoint,
      expecting: expected,
      invitation: invitation,
      isAsked: true,
      now: now.monotonic
    )
    drainDatagrams()
  }

  /// Tells all peers there is a session with that this one goes, and does nothing afterwards.
  package mutating func leave(now: Moment) {
    membership.leave()
    for case .frame(let frame, let peer) in membership.outputs { send(frame, to: peer) }
    membership.outputs = []
    drainDatagrams()
    isLeaving = true
  }

  /// Shows this peer under another endpoint or name from now on.
  ///
  /// - Parameters:
  ///   - endpoint: As other peers reach it.
  ///   - name: At most 64 bytes.
  ///   - now: The time.
  package mutating func rename(endpoint: Endpoint, name: String, now: Moment) {
    membership.renew(endpoint: endpoint, name: name, after: 0, now: now)
    sessions.record = membership.record
  }

  /// Ends the sessions with a peer and forgets it as a member, as when the roster has banned it.
  package mutating func forget(_ peer: PeerID) {
    sessions.close(peer)
    membership.forget(peer)
    membership.closed(peer)
  }

  /// Takes back that a message was received: it could not be stored, and its sender must send it again.
  ///
  /// What `actions` held together with it must not be sent.
  package mutating func takeBack(_ message: PeerMessage) {
    let key = MessageKey(message.id, message.sender)
    delivered.remove(key)
    cache.forget(key)
    counts.messagesReceived -= 1
  }

  mutating func drop(_ reason: DropReason) { counts.drops[reason, default: 0] += 1 }
}
