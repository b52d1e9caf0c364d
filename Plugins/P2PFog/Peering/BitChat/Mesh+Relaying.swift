extension Mesh {
  private static let relayLimit = 2048
  private static let storeWait: UInt64 = 2_000_000_000
  private static let storeBurst = 32
  private static let storeInterval: UInt64 = 20_000_000

  /// Takes a frame of BitChat.
  mutating func receive(
    chat frame: [UInt8],
    _ kind: FrameKind,
    from peer: PeerID,
    roster: Roster,
    now: Moment
  ) {
    do throws(MalformedPacket) {
      var reader = ByteReader(Array(frame.dropFirst()))
      switch kind {
      case .packet, .stored:
        let packet = try MeshPacket(from: &reader)
        receive(packet, isStored: kind == .stored, from: peer, roster: roster, now: now)
      case .storedAck: try receiveStoredAck(&reader, from: peer)
      case .neighbour:
        let isChosen = try reader.number(UInt8.self) == 1
        try reader.end()
        if !neighbours.told(peer, isChosen: isChosen, now: now.monotonic) { drop(.full) }
      default: drop(.malformed)
      }
    } catch {
      drop(.malformed)
    }
  }

  private mutating func receive(
    _ packet: MeshPacket,
    isStored: Bool,
    from peer: PeerID,
    roster: Roster,
    now: Moment
  ) {
    guard packet.origin != identity.id else { return counts.duplicates += 1 }
    let isMine = packet.recipient == identity.id
    if isStored, !isMine { return drop(.malformed) }
    if cache.contains(packet) {
      counts.duplicates += 1
      relays[PendingRelay.Name(packet)]?.holders.append(peer)
      if isStored { acknowledge(packet, to: peer) }
      return
    }
    guard isTimely(packet, isStored: isStored, now: now.wall) else { return drop(.time) }
    guard roster.isKnown(packet.origin) else { return drop(.unknownPeer) }
    guard isProven(packet, from: peer, now: now.monotonic) else { return }
    let rate = settings.originRate
    let fresh = TokenBucket(rate: rate, burst: 2 * rate)
    guard originBuckets[packet.origin, default: fresh].take(now: now.monotonic) else {
      return drop(.rate)
    }
    cache.insert(packet, from: peer)
    if isStored { acknowledge(packet, to: peer) }
    if isMine || packet.recipient == nil {
      take(packet, from: peer, roster: roster, now: now)
    }
    if !isMine { relay(packet, from: peer, now: now) }
  }

  /// Neither old nor from the future; what was kept for this peer may be an hour old, and is still delivered once.
  private func isTimely(_ packet: MeshPacket, isStored: Bool, now: UInt64) -> Bool {
    let age = isStored ? settings.storeTime / 1_000_000 : 0
    return packet.time <= now + Self.clockTolerance
      && packet.time + Self.clockTolerance + age >= now
  }

  /// Checks the origin's signature.
  ///
  /// A neighbour that brings forged packets is not listened to for a while: an honest one has checked them itself, and each
  /// check costs a hundred times what making one up does.
  private mutating func isProven(_ packet: MeshPacket, from peer: PeerID, now: UInt64) -> Bool {
    let patience = TokenBucket(rate: 1, burst: 8)
    if forgeries[peer]?.holds(1, now: now) == false {
      drop(.rate)
      return false
    }
    guard !packet.isAuthentic else { return true }
    _ = forgeries[peer, default: patience].take(now: now)
    drop(.forged)
    return false
  }

  /// Passes a packet of another peer on, or keeps it for a recipient that is away.
  private mutating func relay(_ packet: MeshPacket, from peer: PeerID, now: Moment) {
    guard let next = packet.forwarded else { return drop(.hops) }
    guard let recipient = packet.recipient else { return schedule(next, from: peer, now: now) }
    let isPresent = membership.isPresent(recipient)
    if sessions.isOpen(recipient), isPresent {
      counts.forwarded += 1
      send(next.frame(), to: recipient)
      return
    }
    // The neighbours of the origin keep it, not the whole network.
    if !isPresent, packet.hops == 0 {
      if stored.insert(next, for: recipient, now: now.monotonic) {
        counts.stored += 1
      } else {
        drop(.full)
      }
    }
    if membership.member(recipient)?.isHeard == true, !isPresent { return }
    // An answer goes back the way its message came; when that did not help, it is flooded as well.
    if packet.kind != .message, packet.attempt == 1,
      let back = cache.from(MessageKey(packet.id, recipient), attempt: packet.attempt),
      sessions.isOpen(back), back != peer
    {
      counts.forwarded += 1
      send(next.frame(), to: back)
      return
    }
    schedule(next, from: peer, now: now)
  }

  private mutating func schedule(_ packet: MeshPacket, from peer: PeerID, now: Moment) {
    let name = PendingRelay.Name(packet)
    let wait = UInt64.random(in: 0...settings.relayJitter, using: &random)
    relays[name] = PendingRelay(packet: packet, holders: [peer])
    guard relays.count <= Self.relayLimit, wait > 0 else { return pass(name, now: now) }
    timers.add(.relay(name), at: now.monotonic + wait)
  }

  /// Passes a waiting packet to the neighbours that have not brought it meanwhile.
  mutating func pass(_ name: PendingRelay.Name, now: Moment) {
    guard let relay = relays.removeValue(forKey: name) else { return }
    counts.forwarded += 1
    flood(relay.packet, without: relay.holders, now: now)
  }

  /// A peer has come back: what waits for it goes out.
  mutating func wake(_ peer: PeerID, now: UInt64) {
    let jitter = UInt64.random(in: 0...50_000_000, using: &random)
    if stored.isWaiting(for: peer), waking.insert(peer).inserted {
      timers.add(.stored(peer), at: now + jitter)
    }
    for message in outbox.waiting(for: peer) {
      let key = MessageKey(message.id, identity.id)
      timers.add(.retransmit(key, attempt: message.attempt), at: now + jitter)
    }
  }

  /// Sends what was kept for a peer, as long as it takes it.
  mutating func sendStored(to peer: PeerID, roster: Roster, now: UInt64) {
    waking.remove(peer)
    guard stored.isWaiting(for: peer), membership.isPresent(peer) else { return }
    waking.insert(peer)
    guard sessions.isOpen(peer) else {
      reach(peer, roster: roster, now: now)
      return timers.add(.stored(peer), at: now + Self.storeWait)
    }
    let packets = stored.take(Self.storeBurst, for: peer, now: now, wait: Self.storeWait)
    for packet in packets {
      counts.forwarded += 1
      send(packet.frame(.stored), to: peer)
    }
    guard let next = stored.nextAt(for: peer) else { return }
    timers.add(.stored(peer), at: max(next, now + Self.storeInterval))
  }

  private mutating func acknowledge(_ packet: MeshPacket, to peer: PeerID) {
    var writer = FrameKind.storedAck.writer()
    writer.raw(packet.id)
    writer.raw(packet.origin.bytes)
    writer.number(packet.kind.rawValue)
    writer.number(packet.index)
    send(writer.bytes, to: peer)
  }

  private mutating func receiveStoredAck(
    _ reader: inout ByteReader,
    from peer: PeerID
  ) throws(MalformedPacket) {
    let message = MessageKey(try reader.raw(PeerMessage.idSize), try reader.peer())
    guard let kind = MeshPacket.Kind(rawValue: try reader.number()) else {
      throw MalformedPacket("has an unknown kind")
    }
    let index = try reader.number(UInt16.self)
    try reader.end()
    stored.remove(StoredPackets.Name(message: message, kind: kind, index: index), for: peer)
  }
}
