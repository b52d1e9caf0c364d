extension Membership {
  /// A member that is being probed.
  struct Probe: Sendable {
    enum Stage: Sendable {
      /// There is no session with it yet.
      case opening
      case direct, indirect
    }

    let target: PeerID
    let sentAt: UInt64
    var stage: Stage
    var deadline: UInt64
    /// Whether a suspicion may follow; a ping that only tells or tries has no such consequence.
    let counts: Bool
  }

  /// A probe made for another member.
  struct Relay: Sendable {
    let asker: PeerID
    let sequence: UInt32
    let expiresAt: UInt64
  }

  private static let relayLimit = 256
  private static let openingTime: UInt64 = 2_000_000_000
  private static let shortestSkip: UInt64 = 10_000_000_000
  private static let longestSkip: UInt64 = 300_000_000_000
  private static let recent: UInt64 = 600_000_000_000
  private static let burst = 16
  private static let burstInterval: UInt64 = 500_000_000

  mutating func advanceProbes(now: Moment) {
    for sequence in probes.keys.sorted() {
      guard let probe = probes[sequence], probe.deadline <= now.monotonic else { continue }
      expire(probe, sequence, now: now.monotonic)
    }
    guard now.monotonic >= probeAt else { return }
    // A tenth of jitter, so that peers that started together do not probe together.
    let tenth = settings.probeInterval / 10
    probeAt =
      now.monotonic + settings.probeInterval - tenth / 2
      + UInt64.random(in: 0...tenth, using: &random)
    for (sequence, relay) in relays where relay.expiresAt <= now.monotonic {
      relays[sequence] = nil
    }
    if let target = nextTarget(now: now.monotonic) { probe(target, now: now.monotonic) }
  }

  /// The next of a random order of all, which bounds the time until each is probed (SWIM section 4.3).
  private mutating func nextTarget(now: UInt64) -> PeerID? {
    for _ in 0..<2 {
      while let id = round.popLast() {
        if let member = members[id], member.isPresent, member.skipUntil <= now { return id }
      }
      let all = count(.alive) + count(.suspect) <= settings.probeAllLimit
      round = members.values.filter { $0.isPresent && (all || watched.contains($0.id)) }.map(\.id)
      round.sort()
      round.shuffle(using: &random)
    }
    return nil
  }

  private mutating func probe(_ target: PeerID, now: UInt64) {
    if isOpen(target) { return ping(target, counts: true, now: now) }
    outputs.append(.reach(target, once: false))
    probes[freshSequence()] = Probe(
      target: target,
      sentAt: now,
      stage: .opening,
      deadline: now + Self.openingTime,
      counts: true
    )
  }

  /// Sends a ping over the session.
  mutating func ping(_ target: PeerID, counts: Bool = false, now: UInt64) {
    let sequence = freshSequence()
    var writer = FrameKind.ping.writer()
    writer.number(sequence)
    appendNews(to: &writer, for: target)
    outputs.append(.frame(writer.bytes, to: target))
    probes[sequence] = Probe(
      target: target,
      sentAt: now,
      stage: .direct,
      deadline: now + settings.probeTimeout,
      counts: counts
    )
  }

  private mutating func expire(_ probe: Probe, _ sequence: UInt32, now: UInt64) {
    probes[sequence] = nil
    guard members[probe.target] != nil else { return }
    if probe.stage == .direct { members[probe.target]?.quality.unanswered() }
    guard probe.counts else { return }
    guard probe.stage != .indirect else { return fail(probe, now: now) }
    let helpers = randomOpen(settings.indirectProbes, without: probe.target)
    guard !helpers.isEmpty else { return fail(probe, now: now) }
    for helper in helpers {
      var writer = FrameKind.pingRequest.writer()
      writer.number(sequence)
      writer.raw(probe.target.bytes)
      appendNews(to: &writer, for: helper)
      outputs.append(.frame(writer.bytes, to: helper))
    }
    var next = probe
    next.stage = .indirect
    next.deadline = now + settings.probeTimeout
    probes[sequence] = next
  }

  private mutating func fail(_ probe: Probe, now: UInt64) {
    outputs.append(.reach(probe.target, once: true))
    if !isOpen(probe.target), var member = members[probe.target] {
      member.skipTime = min(max(Self.shortestSkip, 2 * member.skipTime), Self.longestSkip)
      member.skipUntil = now + member.skipTime
      members[probe.target] = member
      changes += 1
    }
    suspect(probe.target, by: identity.id, now: now)
  }

  mutating func receivePing(
    _ reader: inout ByteReader,
    from peer: PeerID,
    roster: inout Roster,
    now: Moment
  ) throws(MalformedPacket) {
    let sequence = try reader.number(UInt32.self)
    // First the news: it may be about this peer, and the answer then says otherwise.
    try receiveUpdates(&reader, isSync: false, roster: &roster, now: now)
    if !isLeaving { acknowledge(sequence, to: peer) }
  }

  private mutating func acknowledge(_ sequence: UInt32, to peer: PeerID) {
    var writer = FrameKind.ack.writer()
    writer.number(sequence)
    appendNews(to: &writer, for: peer)
    outputs.append(.frame(writer.bytes, to: peer))
  }

  mutating func receiveAck(
    _ reader: inout ByteReader,
    from peer: PeerID,
    roster: inout Roster,
    now: Moment
  ) throws(MalformedPacket) {
    let sequence = try reader.number(UInt32.self)
    if let relay = relays[sequence] {
      relays[sequence] = nil
      acknowledge(relay.sequence, to: relay.asker)
    } else if let probe = probes[sequence] {
      if probe.target == peer, probe.stage == .direct {
        members[peer]?.quality.answered(after: now.monotonic - probe.sentAt)
      }
      // A late answer of the target itself counts as well as one through another.
      probes[sequence] = nil
    }
    try receiveUpdates(&reader, isSync: false, roster: &roster, now: now)
  }

  mutating func receivePingRequest(
    _ reader: inout ByteReader,
    from peer: PeerID,
    roster: inout Roster,
    now: Moment
  ) throws(MalformedPacket) {
    let sequence = try reader.number(UInt32.self)
    let target = try reader.peer()
    try receiveUpdates(&reader, isSync: false, roster: &roster, now: now)
    guard isOpen(target), relays.count < Self.relayLimit else { return }
    let own = freshSequence()
    let expiresAt = now.monotonic + settings.probeInterval
    relays[own] = Relay(asker: peer, sequence: sequence, expiresAt: expiresAt)
    var writer = FrameKind.ping.writer()
    writer.number(own)
    appendNews(to: &writer, for: target)
    outputs.append(.frame(writer.bytes, to: target))
  }

  /// Tries one dead member; at the very first, several.
  mutating func retry(now: UInt64) {
    let isFirst = retryAt == 0
    let isRecent = now - min(now, diedAt) < Self.recent
    retryAt = now + (isRecent ? settings.retryInterval : settings.slowRetryInterval)
    tryDead(isFirst ? Self.burst / 2 : 1, now: now)
  }

  /// A dead member is back, so the others may be as well: a partition has healed.
  mutating func retryAll(now: UInt64) {
    guard now >= burstAt else { return }
    burstAt = now + Self.burstInterval
    tryDead(Self.burst, now: now)
  }

  private mutating func tryDead(_ count: Int, now: UInt64) {
    guard self.count(.dead) > 0 else { return }
    let dead = members.values.filter { $0.state == .dead }.map(\.id).sorted()
    for id in dead.shuffled(using: &random).prefix(count) {
      outputs.append(.reach(id, once: true))
      if isOpen(id) { ping(id, now: now) }
    }
  }

  func isOpen(_ peer: PeerID) -> Bool {
    let index = place(of: peer)
    return index < open.count && open[index] == peer
  }

  private mutating func freshSequence() -> UInt32 {
    while true {
      let sequence = UInt32.random(in: 0...UInt32.max, using: &random)
      if probes[sequence] == nil, relays[sequence] == nil { return sequence }
    }
  }
}
