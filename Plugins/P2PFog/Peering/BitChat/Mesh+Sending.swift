extension Mesh {
  private static let burst = 16
  private static let burstInterval: UInt64 = 4_000_000
  private static let longestWait: UInt64 = 8_000_000_000
  private static let awayWait: UInt64 = 60_000_000_000
  private static let longestLife: UInt64 = 3_600_000_000_000
  private static let broadcastLife: UInt64 = 10_000_000_000

  /// Sends a message; `receipt` or `undelivered` tells how it ends, except for a broadcast.
  ///
  /// - Parameters:
  ///   - message: Of this peer; its time is now, or as long ago as a message is kept.
  ///   - options: Which way and for how long.
  ///   - roster: For the recipient's key.
  ///   - now: The time.
  package mutating func send(
    _ message: PeerMessage,
    options: SendOptions = SendOptions(),
    roster: Roster,
    now: Moment
  ) {
    counts.messagesSent += 1
    // Its recipient takes no other.
    let isTimely =
      message.sentAt <= now.wall + Self.clockTolerance
      && message.sentAt + Self.clockTolerance + settings.storeTime / 1_000_000 >= now.wall
    guard !isLeaving, message.payload.count <= PeerMessage.payloadLimit,
      message.sender == identity.id, isTimely
    else { return giveUp(message.id, .refused) }
    if message.recipient == identity.id {
      actions.append(.received(message, hops: 0, from: identity.id))
      actions.append(.receipt(message.id, hops: 0, roundTrip: 0))
      return
    }
    guard let body = body(of: message, roster: roster) else {
      return giveUp(message.id, .unknownRecipient)
    }
    guard makeRoom(message.priority) else { return giveUp(message.id, .full) }
    let key = MessageKey(message.id, identity.id)
    guard outbox[key] == nil else { return giveUp(message.id, .refused) }
    let lifetime =
      message.recipient == nil ? Self.broadcastLife : min(options.lifetime, Self.longestLife)
    var out = MeshOutbox.Message(
      id: message.id,
      recipient: message.recipient,
      priority: message.priority,
      options: options,
      body: body,
      createdAt: now.monotonic,
      endsAt: now.monotonic + lifetime,
      lacking: []
    )
    out.lacking = Array(0..<out.fragments)
    outbox[key] = out
    timers.add(.end(key), at: out.endsAt)
    // Whom the mesh has just met must not miss what is flooded once.
    if membership.changes != chosenAt { chooseNeighbours(now: now.monotonic) }
    if !waitsForSession(key, roster: roster, now: now.monotonic) {
      attempt(key, roster: roster, now: now)
    }
    drainDatagrams()
  }

  private func body(of message: PeerMessage, roster: Roster) -> [UInt8]? {
    var writer = ByteWriter()
    message.write(to: &writer)
    guard let recipient = message.recipient else { return writer.bytes }
    guard let record = roster.record(of: recipient) else { return nil }
    return SealedBody.seal(
      writer.bytes,
      id: message.id,
      origin: identity.id,
      recipient: recipient,
      agreementKey: record.agreementKey
    )
  }

  /// Begins a session with the recipient where that seems possible; the message goes when it is open, or after a while
  /// through the mesh.
  private mutating func waitsForSession(_ key: MessageKey, roster: Roster, now: UInt64) -> Bool {
    guard let out = outbox[key], out.options.route == .auto, let recipient = out.recipient,
      !sessions.isOpen(recipient), let member = membership.member(recipient), member.isPresent,
      member.skipUntil <= now
    else { return false }
    reach(recipient, roster: roster, now: now)
    outbox[key]?.isWaiting = true
    timers.add(.retransmit(key, attempt: 0), at: now + settings.sessionWait)
    return true
  }

  private mutating func makeRoom(_ priority: UInt8) -> Bool {
    guard outbox.count >= outbox.limit else { return true }
    guard let least = outbox.leastImportant(below: priority) else { return false }
    outbox[MessageKey(least.id, identity.id)] = nil
    giveUp(least.id, .full)
    return true
  }

  private mutating func giveUp(_ id: [UInt8], _ reason: UndeliveredReason) {
    counts.messagesUndelivered += 1
    actions.append(.undelivered(id, reason))
  }

  /// Begins the next sending of a message: of what its recipient lacks, by the way that has most hope.
  mutating func attempt(_ key: MessageKey, roster: Roster, now: Moment) {
    guard var out = outbox[key], out.attempt < .max else { return }
    out.attempt += 1
    out.sentAt = now.monotonic
    out.queue = out.lacking
    if let recipient = out.recipient {
      let isOpen = sessions.isOpen(recipient) && membership.isPresent(recipient)
      out.isDirect = isOpen && out.options.route != .mesh
      // Two sendings that a session has swallowed are enough.
      out.isMeshed = out.options.route != .direct && (!out.isDirect || out.attempt > 2)
      if !isOpen, out.options.route != .mesh {
        reach(recipient, roster: roster, now: now.monotonic)
      }
    } else {
      out.isMeshed = true
    }
    out.isWaiting = !out.isDirect && !out.isMeshed
    counts.directRoutes += out.isDirect ? 1 : 0
    counts.meshRoutes += out.isMeshed ? 1 : 0
    counts.retransmissions += out.attempt > 1 ? 1 : 0
    outbox[key] = out
    pace(key, now: now)
  }

  /// Sends the next fragments of a message, and sets when to go on.
  mutating func pace(_ key: MessageKey, now: Moment) {
    guard var out = outbox[key] else { return }
    for index in out.queue.prefix(Self.burst) {
      let packet = MeshPacket(
        identity,
        kind: .message,
        id: out.id,
        attempt: out.attempt,
        recipient: out.recipient,
        priority: out.priority,
        time: now.wall,
        fragment: (index, out.fragments),
        body: out.fragment(index),
        hopsLeft: min(max(out.options.hopLimit, 1), MeshPacket.hopLimit)
      )
      if out.isDirect, let recipient = out.recipient { send(packet.frame(), to: recipient) }
      if out.isMeshed {
        flood(packet, without: out.isDirect ? out.recipient.map { [$0] } ?? [] : [], now: now)
      }
    }
    out.queue.removeFirst(min(Self.burst, out.queue.count))
    outbox[key] = out
    guard out.queue.isEmpty else {
      return timers.add(.pace(key), at: now.monotonic + Self.burstInterval)
    }
    guard out.recipient != nil else { return }
    timers.add(.retransmit(key, attempt: out.attempt), at: now.monotonic + wait(out))
  }

  private func wait(_ out: MeshOutbox.Message) -> UInt64 {
    let shift = UInt64(min(out.attempt, 6) - 1)
    return min(settings.receiptWait << shift, Self.longestWait)
  }

  /// No receipt came for an attempt.
  mutating func retransmit(_ key: MessageKey, attempt: UInt8, roster: Roster, now: Moment) {
    guard var out = outbox[key], out.attempt == attempt, let recipient = out.recipient else {
      return
    }
    // Neighbours have it, and it goes again when the recipient is back; now and then all the same, should this peer be
    // the one that sees wrong.
    if !membership.isPresent(recipient), out.attempt >= 2, !out.isWaiting {
      out.isWaiting = true
      outbox[key] = out
      timers.add(.retransmit(key, attempt: attempt), at: now.monotonic + Self.awayWait)
      return
    }
    self.attempt(key, roster: roster, now: now)
  }

  /// A message's time is over.
  mutating func end(_ key: MessageKey) {
    guard let out = outbox[key] else { return }
    outbox[key] = nil
    guard let recipient = out.recipient else { return }
    giveUp(out.id, membership.isPresent(recipient) ? .noReceipt : .recipientAway)
  }

  /// Takes an answer of a recipient: that it has all, what it lacks, or that it does not take the message.
  mutating func receiveAnswer(_ packet: MeshPacket, roster: Roster, now: Moment) {
    let key = MessageKey(packet.id, identity.id)
    guard var out = outbox[key] else { return }
    // A broadcast is answered by whoever lacks a part.
    guard out.recipient == nil ? packet.kind == .missing : out.recipient == packet.origin else {
      return drop(.forged)
    }
    if packet.kind == .receipt {
      outbox[key] = nil
      counts.messagesConfirmed += 1
      let hops = Int(packet.body.first ?? 1)
      let roundTrip = now.monotonic - out.createdAt
      return actions.append(.receipt(out.id, hops: hops, roundTrip: roundTrip))
    }
    if packet.kind == .refused {
      guard packet.body == [MessageRefusal.quota.rawValue] else { return drop(.malformed) }
      outbox[key] = nil
      return giveUp(out.id, .recipientQuota)
    }
    let lacking = (0..<out.fragments).filter { index in
      index / 8 < packet.body.count && packet.body[index / 8] & 0x80 >> (index % 8) != 0
    }
    // Not while a sending is under way, nor faster than answers can come.
    guard !lacking.isEmpty, out.queue.isEmpty, now.monotonic - out.sentAt >= 20_000_000 else {
      return
    }
    out.lacking = lacking
    outbox[key] = out
    attempt(key, roster: roster, now: now)
  }

  /// Passes a packet to all neighbours but some.
  mutating func flood(_ packet: MeshPacket, without excluded: [PeerID], now: Moment) {
    let frame = packet.frame()
    for peer in neighbours.all(now: now.monotonic)
    where !excluded.contains(peer) && peer != packet.origin { send(frame, to: peer) }
  }
}
