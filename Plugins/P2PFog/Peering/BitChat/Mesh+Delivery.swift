extension Mesh {
  private static let askLimit: UInt8 = 6

  /// Takes an authentic packet that is for this peer.
  mutating func take(_ packet: MeshPacket, from peer: PeerID, roster: Roster, now: Moment) {
    guard packet.kind == .message else {
      return receiveAnswer(packet, roster: roster, now: now)
    }
    let key = MessageKey(packet.id, packet.origin)
    if delivered.contains(key) {
      // Its receipt was lost, or it was still under way.
      if packet.recipient != nil, delivered.needsReceipt(key, attempt: packet.attempt) {
        answer(packet, body: [packet.hops + 1], kind: .receipt, now: now)
      }
      return
    }
    switch reassembly.add(packet, key: key, now: now.monotonic) {
    case .refused(let reason): drop(reason)
    case .waiting(let isFirst):
      if isFirst { timers.add(.fragments(key), at: now.monotonic + settings.missingWait) }
    case .complete(let partial, let body):
      deliver(packet, body, partial, from: peer, roster: roster, now: now)
    }
  }

  private mutating func deliver(
    _ packet: MeshPacket,
    _ body: [UInt8],
    _ partial: Reassembly.Partial,
    from peer: PeerID,
    roster: Roster,
    now: Moment
  ) {
    var plain = body
    if packet.recipient != nil {
      let opened = SealedBody.open(body, id: packet.id, origin: packet.origin, by: identity)
      guard let opened else { return drop(.forged) }
      plain = opened
    }
    var reader = ByteReader(plain)
    guard let message = try? PeerMessage(from: &reader), reader.remaining == 0,
      message.sender == packet.origin, message.id == packet.id,
      message.recipient == packet.recipient
    else { return drop(.malformed) }
    let age = settings.storeTime / 1_000_000
    guard message.sentAt <= now.wall + Self.clockTolerance,
      message.sentAt + Self.clockTolerance + age >= now.wall
    else { return drop(.time) }
    guard !delivered.mayBeForgotten(packet.origin, sentAt: message.sentAt) else {
      return drop(.replay)
    }
    guard !roster.overQuota.contains(packet.origin) else {
      if packet.recipient != nil {
        answer(packet, body: [MessageRefusal.quota.rawValue], kind: .refused, now: now)
      }
      return drop(.full)
    }
    let key = MessageKey(packet.id, packet.origin)
    delivered.insert(
      key,
      origin: packet.origin,
      sentAt: message.sentAt,
      attempt: partial.attempt
    )
    counts.messagesReceived += 1
    actions.append(.received(message, hops: Int(partial.hops), from: peer))
    if packet.recipient != nil {
      answer(packet, body: [partial.hops], kind: .receipt, now: now)
    }
  }

  /// Tells an origin that all has come, what has not, or that it is not taken: directly, back the way the message came, or
  /// through the mesh.
  private mutating func answer(
    _ message: MeshPacket,
    body: [UInt8],
    kind: MeshPacket.Kind,
    now: Moment
  ) {
    let packet = MeshPacket(
      identity,
      kind: kind,
      id: message.id,
      attempt: message.attempt,
      recipient: message.origin,
      priority: message.priority,
      time: now.wall,
      body: body
    )
    send(answer: packet, now: now)
  }

  private mutating func send(answer packet: MeshPacket, now: Moment) {
    guard let origin = packet.recipient else { return }
    // A session may swallow what goes one way; a third attempt came through the mesh, and its answer goes there as well.
    let isSent = membership.isPresent(origin) && send(packet.frame(), to: origin)
    if isSent, packet.attempt <= 2 { return }
    let back = cache.from(MessageKey(packet.id, origin), attempt: packet.attempt)
    if packet.attempt == 1, let back, send(packet.frame(), to: back) { return }
    flood(packet, without: [], now: now)
  }

  /// Asks for the fragments of a message that have not come.
  mutating func askForFragments(_ key: MessageKey, now: Moment) {
    guard let partial = reassembly[key] else { return }
    if now.monotonic - partial.startedAt >= Reassembly.timeLimit { return reassembly.remove(key) }
    let wait = settings.missingWait << UInt64(partial.asked)
    let due = partial.touchedAt + wait
    if due > now.monotonic { return timers.add(.fragments(key), at: due) }
    guard partial.asked < Self.askLimit, let asking = reassembly.ask(key) else {
      return timers.add(.fragments(key), at: partial.startedAt + Reassembly.timeLimit)
    }
    let packet = MeshPacket(
      identity,
      kind: .missing,
      id: asking.id,
      attempt: asking.asked,
      recipient: asking.origin,
      priority: asking.priority,
      time: now.wall,
      body: asking.lacking
    )
    send(answer: packet, now: now)
    timers.add(.fragments(key), at: now.monotonic + 2 * wait)
  }

  /// Does what a timer was set for.
  mutating func fire(_ timer: Timer, roster: Roster, now: Moment) {
    switch timer {
    case .relay(let name): pass(name, now: now)
    case .pace(let key): pace(key, now: now)
    case .retransmit(let key, let attempt):
      retransmit(key, attempt: attempt, roster: roster, now: now)
    case .end(let key): end(key)
    case .fragments(let key): askForFragments(key, now: now)
    case .stored(let peer): sendStored(to: peer, roster: roster, now: now.monotonic)
    }
  }
}
