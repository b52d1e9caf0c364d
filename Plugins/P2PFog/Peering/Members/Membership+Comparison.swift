extension Membership {
  private static let buckets = 64
  // One comparison sends at most so many frames; what is left over differs again in the next.
  private static let frameLimit = 48

  /// Compares states with a random member (push-pull with checksums, Demers and others 1987, section 1.3).
  mutating func sync(now: UInt64) {
    let tenth = settings.syncInterval / 10
    let jitter = UInt64.random(in: 0...tenth, using: &random)
    syncAt = now + settings.syncInterval - tenth / 2 + jitter
    if let peer = randomOpen(1).first { sendDigest(to: peer) }
  }

  mutating func sendDigest(to peer: PeerID) {
    var writer = FrameKind.digest.writer()
    for sum in digests() { writer.number(sum) }
    outputs.append(.frame(writer.bytes, to: peer))
  }

  /// A sum of all present members for each bucket, independent of their order.
  private func digests() -> [UInt32] {
    var sums = [UInt32](repeating: 0, count: Self.buckets)
    let own = identity.id
    sums[Self.bucket(own)] ^= Self.sum(own, record.sequence)
    for member in members.values where member.isPresent {
      sums[Self.bucket(member.id)] ^= Self.sum(member.id, member.sequence)
    }
    return sums
  }

  private static func bucket(_ id: PeerID) -> Int { Int(id.bytes[0]) % buckets }

  /// FNV-1a over identity and sequence.
  private static func sum(_ id: PeerID, _ sequence: UInt64) -> UInt32 {
    var hash: UInt64 = 0xCBF2_9CE4_8422_2325
    // 16 bytes of a random key tell peers apart as well as all of them.
    for byte in id.bytes.prefix(16) { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
    for shift in stride(from: 0, to: 64, by: 8) {
      hash = (hash ^ (sequence >> UInt64(shift) & 0xFF)) &* 0x100_0000_01B3
    }
    return UInt32(truncatingIfNeeded: hash ^ hash >> 32)
  }

  mutating func receiveDigest(
    _ reader: inout ByteReader,
    from peer: PeerID,
    roster: Roster
  ) throws(MalformedPacket) {
    var differing: UInt64 = 0
    for (index, own) in digests().enumerated() where try reader.number(UInt32.self) != own {
      differing |= 1 << UInt64(index)
    }
    try reader.end()
    if differing != 0 { sendEntries(of: differing, to: peer, wantsAnswer: true, roster) }
  }

  /// Sends what is held of the members in some buckets.
  ///
  /// A frame is the buckets whose entries are asked for in return, and updates.
  private mutating func sendEntries(
    of mask: UInt64,
    to peer: PeerID,
    wantsAnswer: Bool,
    _ roster: Roster
  ) {
    var updates: [MemberUpdate] = []
    if mask & 1 << UInt64(Self.bucket(identity.id)) != 0 { updates.append(.alive(record)) }
    let chosen = members.keys.filter { mask & 1 << UInt64(Self.bucket($0)) != 0 && $0 != peer }
    for id in chosen.sorted() {
      if let member = members[id], member.isHeard, let update = update(of: member, roster) {
        updates.append(update)
      }
    }
    var frames = 0
    var next = 0
    var answer = wantsAnswer ? mask : 0
    repeat {
      var writer = FrameKind.entries.writer()
      writer.number(answer)
      var room = Datagram.frameLimit - writer.bytes.count - 1
      var part = 0
      while next + part < updates.count, part < 255, updates[next + part].size <= room {
        room -= updates[next + part].size
        part += 1
      }
      writer.number(UInt8(part))
      for update in updates[next..<next + part] { update.write(to: &writer) }
      next += part
      outputs.append(.frame(writer.bytes, to: peer))
      // Asked for once, in the first frame.
      answer = 0
      frames += 1
    } while next < updates.count && frames < Self.frameLimit
  }

  private func update(of member: Member, _ roster: Roster) -> MemberUpdate? {
    switch member.state {
    case .alive: roster.record(of: member.id).map(MemberUpdate.alive)
    case .suspect: .suspect(member.id, member.sequence, by: identity.id)
    case .dead, .left: .gone(member.state, member.id, member.sequence)
    }
  }

  mutating func receiveEntries(
    _ reader: inout ByteReader,
    from peer: PeerID,
    roster: inout Roster,
    now: Moment
  ) throws(MalformedPacket) {
    let wanted = try reader.number(UInt64.self)
    try receiveUpdates(&reader, isSync: true, roster: &roster, now: now)
    if wanted != 0 { sendEntries(of: wanted, to: peer, wantsAnswer: false, roster) }
  }
}
