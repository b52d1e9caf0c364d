extension Membership {
  /// Takes one piece of news.
  ///
  /// - Parameters:
  ///   - update: As a peer told it.
  ///   - isSync: Whether it is of a comparison of states: what another holds for dead is then only suspected, so that the
  ///     member can speak for itself after a partition (memberlist, mergeState).
  ///   - roster: Learns records.
  ///   - now: The time.
  /// - Throws: When a record is malformed or forged.
  mutating func apply(
    _ update: MemberUpdate,
    isSync: Bool,
    roster: inout Roster,
    now: Moment
  ) throws(MalformedPacket) {
    if update.id == identity.id { return try applyOwn(update, now: now) }
    if update.state == .alive {
      // What a comparison brings is not passed on: whoever lacks it compares as well.
      return try applyAlive(update, isNews: !isSync, roster: &roster, now: now.monotonic)
    }
    // Of another incarnation it is old news, or news of a record that will come by itself.
    guard let member = members[update.id], member.isHeard, member.sequence == update.sequence
    else { return }
    switch (update.state, member.state) {
    case (.suspect, .alive), (.suspect, .suspect):
      guard let accuser = PeerID(update.detail) else { return }
      suspect(update.id, by: accuser, now: now.monotonic)
    case (.dead, .alive), (.dead, .suspect):
      if isSync { return suspect(update.id, by: identity.id, now: now.monotonic) }
      become(.dead, update.id, now: now.monotonic)
      news.add(update)
    case (.left, .alive), (.left, .suspect), (.left, .dead):
      become(.left, update.id, now: now.monotonic)
      news.add(update)
    default: break
    }
  }

  private mutating func applyOwn(_ update: MemberUpdate, now: Moment) throws(MalformedPacket) {
    guard !isLeaving else { return }
    if update.state == .alive {
      // A record of an earlier life, made by a clock that went faster.
      guard update.sequence > record.sequence else { return }
      let earlier = try update.record()
      refute(earlier.sequence, now: now)
    } else if update.sequence == record.sequence {
      refute(update.sequence, now: now)
    }
  }

  /// Says, under a new signature, that this peer is alive.
  private mutating func refute(_ sequence: UInt64, now: Moment) {
    guard refutations.take(now: now.monotonic) else { return }
    renew(endpoint: record.endpoint, name: record.name, after: sequence, now: now)
  }

  /// Makes a new record of this peer and tells it.
  mutating func renew(endpoint: Endpoint, name: String, after sequence: UInt64, now: Moment) {
    let next = max(now.wall, max(sequence, record.sequence) + 1)
    record = PeerRecord(identity, sequence: next, endpoint: endpoint, name: name)
    outputs.append(.record(record))
    news.add(.alive(record))
    gossipAt = min(gossipAt, now.monotonic)
  }

  private mutating func applyAlive(
    _ update: MemberUpdate,
    isNews: Bool,
    roster: inout Roster,
    now: UInt64
  ) throws(MalformedPacket) {
    if let held = members[update.id] {
      let isOld = held.isHeard ? update.sequence <= held.sequence : update.sequence < held.sequence
      if isOld { return }
    }
    if let known = roster.record(of: update.id), known.sequence == update.sequence {
      return becomeAlive(known, isNews: isNews, now: now)
    }
    let record = try update.record()
    roster.introduce(record)
    // Not let in by introduction: it is no member here.
    guard let known = roster.record(of: update.id), known.sequence >= record.sequence else {
      return
    }
    becomeAlive(known, isNews: isNews, now: now)
  }

  /// A member is known to be alive by its own signature or by a handshake.
  mutating func becomeAlive(_ record: PeerRecord, isNews: Bool, now: UInt64) {
    if members[record.id] == nil { insert(record, isHeard: false, now: now) }
    let wasGone = members[record.id].map { $0.isHeard && !$0.isPresent } == true
    members[record.id]?.sequence = record.sequence
    become(.alive, record.id, now: now)
    if isNews { news.add(.alive(record)) }
    if wasGone { retryAll(now: now) }
  }

  mutating func insert(_ record: PeerRecord, isHeard: Bool, now: UInt64) {
    members[record.id] = Member(
      id: record.id,
      sequence: record.sequence,
      state: .dead,
      changedAt: now,
      isHeard: isHeard
    )
    counts[.dead, default: 0] += 1
    diedAt = now
  }

  mutating func suspect(_ id: PeerID, by accuser: PeerID, now: UInt64) {
    guard let member = members[id] else { return }
    if member.state == .alive {
      let present = count(.alive) + count(.suspect) + 1
      let suspicion = Suspicion(by: accuser, members: present, settings: settings, now: now)
      become(.suspect, id, now: now)
      members[id]?.suspicion = suspicion
      news.add(.suspect(id, member.sequence, by: accuser))
    } else if members[id]?.suspicion?.confirm(by: accuser) == true {
      news.add(.suspect(id, member.sequence, by: accuser))
    }
  }

  mutating func become(_ state: MemberState, _ id: PeerID, now: UInt64) {
    guard var member = members[id] else { return }
    let isNews = member.state != state || !member.isHeard
    counts[member.state, default: 1] -= 1
    counts[state, default: 0] += 1
    if member.state != state { member.changedAt = now }
    if state == .dead { diedAt = now }
    member.state = state
    member.isHeard = true
    if state == .suspect {
      suspects.insert(id)
    } else {
      suspects.remove(id)
      member.suspicion = nil
    }
    members[id] = member
    guard isNews else { return }
    changes += 1
    outputs.append(.state(id, state))
    let wait = UInt64.random(
      in: settings.syncAfterNews...2 * settings.syncAfterNews,
      using: &random
    )
    syncAt = min(syncAt, now + wait)
  }

  /// Reads a count and so many pieces of news.
  mutating func receiveUpdates(
    _ reader: inout ByteReader,
    isSync: Bool,
    roster: inout Roster,
    now: Moment
  ) throws(MalformedPacket) {
    let count = try reader.number(UInt8.self)
    var updates: [MemberUpdate] = []
    for _ in 0..<count { updates.append(try MemberUpdate(from: &reader)) }
    try reader.end()
    for update in updates { try apply(update, isSync: isSync, roster: &roster, now: now) }
  }

  /// Ends a frame with what its receiver should know, as much as fits.
  mutating func appendNews(to writer: inout ByteWriter, for receiver: PeerID) {
    var updates: [MemberUpdate] = []
    var room = Datagram.frameLimit - writer.bytes.count - 1
    // Lifeguard's buddy system (section IV-C): a suspect hears of it first, from whoever speaks to it.
    if let member = members[receiver], member.isHeard, member.state != .alive {
      let own = identity.id
      updates.append(
        member.state == .suspect
          ? .suspect(receiver, member.sequence, by: own)
          : .gone(member.state, receiver, member.sequence)
      )
      room -= updates[0].size
    }
    updates += news.take(size: room, times: timesToTell, for: receiver)
    writer.number(UInt8(min(255, updates.count)))
    for update in updates.prefix(255) { update.write(to: &writer) }
  }

  /// λ log n (SWIM section 4.1), with memberlist's logarithm.
  private var timesToTell: Int {
    var digits = 0
    var members = count(.alive) + count(.suspect) + 1
    while members > 0 {
      digits += 1
      members /= 10
    }
    return settings.retransmitMultiplier * digits
  }

  mutating func gossip(now: UInt64) {
    guard !news.isEmpty else { return }
    gossipAt = now + settings.gossipInterval
    for peer in randomOpen(settings.gossipPeers) {
      var writer = FrameKind.gossip.writer()
      appendNews(to: &writer, for: peer)
      outputs.append(.frame(writer.bytes, to: peer))
    }
  }
}
