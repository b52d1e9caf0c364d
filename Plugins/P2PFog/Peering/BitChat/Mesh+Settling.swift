extension Mesh {
  private static let tickInterval: UInt64 = 1_000_000_000
  private static let silence: UInt64 = 3_000_000_000

  /// Lets sessions, membership and BitChat act on what each other has found.
  mutating func settle(roster: inout Roster, now: Moment) {
    while true {
      if !sessions.outputs.isEmpty {
        let outputs = sessions.outputs
        sessions.outputs = []
        for output in outputs { take(output, roster: &roster, now: now) }
      } else if !membership.outputs.isEmpty {
        let outputs = membership.outputs
        membership.outputs = []
        for output in outputs { take(output, roster: roster, now: now) }
      } else {
        return
      }
    }
  }

  private mutating func take(
    _ output: DatagramSessions.Output,
    roster: inout Roster,
    now: Moment
  ) {
    switch output {
    case .datagram(let bytes, let endpoint): hand(bytes, to: endpoint)
    case .frame(let frame, let peer): receive(frame: frame, from: peer, roster: &roster, now: now)
    case .opened(let peer, let isNew):
      membership.opened(peer, isNew: isNew, roster: roster, now: now.monotonic)
      if isNew {
        if neighbours.chosen.contains(peer) { tell(peer, isChosen: true) }
        wake(peer, now: now.monotonic)
      }
    case .closed(let peer): membership.closed(peer)
    case .connected(let peer, let endpoint): actions.append(.connected(peer, endpoint))
    case .refused(let endpoint, let reason): actions.append(.refused(endpoint, reason))
    }
  }

  private mutating func take(_ output: Membership.Output, roster: Roster, now: Moment) {
    switch output {
    case .frame(let frame, let peer): send(frame, to: peer)
    case .reach(let peer, let once): reach(peer, once: once, roster: roster, now: now.monotonic)
    case .state(let peer, let state):
      actions.append(.member(peer, state))
      if state == .alive { wake(peer, now: now.monotonic) }
    case .record(let record):
      sessions.record = record
      actions.append(.record(record))
    }
  }

  private mutating func receive(
    frame: [UInt8],
    from peer: PeerID,
    roster: inout Roster,
    now: Moment
  ) {
    let size = frame.count + Datagram.dataHeaderSize + ChaChaPoly.tagSize
    // Checked for every frame: the roster may have banned the peer since its handshake.
    guard roster.isKnown(peer) else {
      forget(peer)
      return drop(.unknownPeer)
    }
    guard let kind = FrameKind(rawValue: frame[0]) else { return drop(.malformed) }
    counts.count(in: kind.isMembership ? .membership : .bitchat, bytes: size)
    if kind.isMembership {
      membership.receive(frame, from: peer, roster: &roster, now: now)
    } else {
      receive(chat: frame, kind, from: peer, roster: roster, now: now)
    }
  }

  /// Sends a frame to a peer with a session; false when there is none.
  @discardableResult
  mutating func send(_ frame: [UInt8], to peer: PeerID) -> Bool {
    guard sessions.send(frame, to: peer) else { return false }
    let isMembership = FrameKind(rawValue: frame[0])?.isMembership == true
    let size = frame.count + Datagram.dataHeaderSize + ChaChaPoly.tagSize
    counts.count(out: isMembership ? .membership : .bitchat, bytes: size)
    return true
  }

  /// Hands on the datagrams that sessions have made outside of `settle`.
  mutating func drainDatagrams() {
    let outputs = sessions.outputs
    sessions.outputs = []
    for output in outputs {
      switch output {
      case .datagram(let bytes, let endpoint): hand(bytes, to: endpoint)
      case .refused(let endpoint, let reason): actions.append(.refused(endpoint, reason))
      default: sessions.outputs.append(output)
      }
    }
  }

  private mutating func hand(_ datagram: [UInt8], to endpoint: Endpoint) {
    let isEmpty = datagram.count == Datagram.dataHeaderSize + ChaChaPoly.tagSize
    if Datagram.kind(of: datagram) != .data || isEmpty {
      counts.count(out: .handshake, bytes: datagram.count)
    }
    actions.append(.datagram(datagram, to: endpoint))
  }

  /// Opens a session with a peer, unless there is one that was heard of lately.
  mutating func reach(_ peer: PeerID, once: Bool = false, roster: Roster, now: UInt64) {
    if let heardAt = sessions.heardAt(peer), now - min(now, heardAt) < Self.silence { return }
    guard let record = roster.record(of: peer), record.endpoint.port != 0,
      !record.endpoint.isWildcard
    else { return }
    sessions.open(record.endpoint, expecting: peer, once: once, now: now)
  }

  /// What is done once a second: new peers of the roster, and the choice of neighbours.
  mutating func tick(roster: Roster, now: UInt64) {
    tickAt = now + Self.tickInterval
    if roster.count != membership.size { membership.adopt(roster, now: now) }
    let isTelling = now >= tellAt
    if isTelling { tellAt = now + Neighbours.tellInterval }
    // Time alone lets a member that could not be reached be tried again; that is soon enough every ten seconds.
    if isTelling || membership.changes != chosenAt { chooseNeighbours(now: now) }
    for peer in neighbours.chosen {
      if !sessions.isOpen(peer) {
        reach(peer, roster: roster, now: now)
      } else if isTelling {
        tell(peer, isChosen: true)
      }
    }
  }

  mutating func chooseNeighbours(now: UInt64) {
    chosenAt = membership.changes
    let candidates = membership.candidates(now: now)
    let dropped = neighbours.choose(among: candidates, own: identity.id, random: &random)
    for peer in dropped { tell(peer, isChosen: false) }
    membership.watched = Set(neighbours.chosen)
  }

  private mutating func tell(_ peer: PeerID, isChosen: Bool) {
    var writer = FrameKind.neighbour.writer()
    writer.number(UInt8(isChosen ? 1 : 0))
    send(writer.bytes, to: peer)
  }
}
