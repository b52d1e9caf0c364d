extension DatagramSessions {
  /// How long the session before the current one may still bring datagrams.
  private static let overlap: UInt64 = 60_000_000_000
  /// Within this two handshakes that cross count as simultaneous.
  private static let crossing: UInt64 = 10_000_000_000
  private static let upkeepInterval: UInt64 = 1_000_000_000

  /// When `advance` has something to do, in monotonic nanoseconds; `nil` for never.
  package var deadline: UInt64? {
    var next = initiations.values.lazy.map(\.nextAt).min()
    if !sessions.isEmpty || halfOpen.count > 0 { next = min(next ?? .max, maintainAt) }
    return next
  }

  /// Does what is due: asks again, begins new keys, forgets what is over.
  package mutating func advance(now: UInt64) {
    // In order, so that one seed gives one run.
    for name in initiations.keys.sorted() {
      guard let initiation = initiations[name], initiation.nextAt <= now else { continue }
      repeatOrEnd(initiation, name, now: now)
    }
    guard now >= maintainAt else { return }
    maintainAt = now + Self.upkeepInterval
    halfOpen.expire(now: now)
    for peer in links.keys.sorted() {
      guard let link = links[peer] else { continue }
      maintain(link, of: peer, now: now)
    }
  }

  private mutating func repeatOrEnd(_ initiation: Initiation, _ name: UInt32, now: UInt64) {
    guard initiation.tries < settings.handshakeTries else {
      initiations[name] = nil
      if let session = sessions[name], !session.isConfirmed { sessions[name] = nil }
      if initiation.isAsked { outputs.append(.refused(initiation.endpoint, .noAnswer)) }
      return
    }
    var next = initiation
    next.tries += 1
    next.nextAt = now + wait(next.tries)
    initiations[name] = next
    outputs.append(.datagram(next.datagram, to: next.endpoint))
  }

  private mutating func maintain(_ link: Link, of peer: PeerID, now: UInt64) {
    guard let session = sessions[link.current] else { return }
    let age = now - session.openedAt
    if let previous = link.previous, age > Self.overlap {
      sessions[previous] = nil
      links[peer]?.previous = nil
    }
    let silence = now - min(now, session.receivedAt)
    if age > settings.rejectAfter || silence > settings.idleAfter {
      for name in [link.current, link.previous ?? link.current] { sessions[name] = nil }
      links[peer] = nil
      outputs.append(.closed(peer))
      return
    }
    // The side that began goes first; the other steps in when that did not help.
    let due = session.isInitiator ? settings.rekeyAfter : settings.rekeyAfter / 10 * 11
    if age > due || session.sent > settings.datagramLimit {
      open(link.endpoint, expecting: peer, now: now)
    }
  }

  /// The other side of a handshake of this peer has shown that it has the keys.
  mutating func confirm(_ name: UInt32, from endpoint: Endpoint, now: UInt64) {
    sessions[name]?.isConfirmed = true
    guard let session = sessions[name] else { return }
    let asked = initiations.removeValue(forKey: name)?.isAsked == true
    if install(session, at: endpoint, now: now), asked {
      outputs.append(.connected(session.peer, endpoint))
    }
  }

  /// Makes a confirmed session the one that is sent with.
  ///
  /// When both sides began at once there are two sessions, and both sides keep the one that the lesser identity began;
  /// the other still receives for a minute, so that nothing under way is lost.
  ///
  /// - Returns: False when there are too many sessions.
  mutating func install(_ session: DatagramSession, at endpoint: Endpoint, now: UInt64) -> Bool {
    let peer = session.peer
    guard var link = links[peer] else {
      guard links.count < settings.sessionLimit else {
        sessions[session.ownName] = nil
        drop(.full)
        return false
      }
      let rate = settings.packetRate
      links[peer] = Link(
        current: session.ownName,
        endpoint: endpoint,
        packets: TokenBucket(rate: rate, burst: 2 * rate),
        bytes: TokenBucket(rate: settings.byteRate, burst: 2 * settings.byteRate)
      )
      finish(peer, at: endpoint, isNew: true)
      return true
    }
    let own = identity.id
    let isCrossing = sessions[link.current].map {
      now - $0.openedAt < Self.crossing && $0.isInitiator != session.isInitiator
        && $0.initiator(own: own) < session.initiator(own: own)
    }
    if isCrossing == true {
      if let old = link.previous { sessions[old] = nil }
      link.previous = session.ownName
    } else {
      if let old = link.previous { sessions[old] = nil }
      link.previous = link.current
      link.current = session.ownName
      link.endpoint = endpoint
    }
    links[peer] = link
    finish(peer, at: endpoint, isNew: false)
    return true
  }

  private mutating func finish(_ peer: PeerID, at endpoint: Endpoint, isNew: Bool) {
    handshakes += 1
    outputs.append(.opened(peer, isNew: isNew))
    // What was begun towards the same peer has come to its end the other way round. A handshake in its third message is
    // left alone: the other may already count on it.
    for (name, initiation) in initiations
    where initiation.expected == peer && initiation.stage == .first {
      initiations[name] = nil
      if initiation.isAsked { outputs.append(.connected(peer, endpoint)) }
    }
  }
}
