extension DatagramSessions {
  /// Begins a handshake.
  ///
  /// - Parameters:
  ///   - endpoint: Where the other is.
  ///   - expected: Who has to answer; `nil` when nobody certain, as where only an address is configured.
  ///   - invitation: To be redeemed, 16 bytes.
  ///   - isAsked: Whether `connected` or `refused` has to tell how it ends, and the operator's word makes `expected` known.
  ///   - once: Whether the first message is sent a single time, and given up after a second.
  ///   - now: Monotonic nanoseconds.
  /// - Returns: False when one with this peer or address is under way, or too many are.
  @discardableResult
  package mutating func open(
    _ endpoint: Endpoint,
    expecting expected: PeerID?,
    invitation: [UInt8]? = nil,
    isAsked: Bool = false,
    once: Bool = false,
    now: UInt64
  ) -> Bool {
    // Asked for at another address or with an invitation it may succeed where the one under way does not.
    let isUnderWay = initiations.values.contains {
      guard expected != nil else { return $0.endpoint == endpoint }
      guard $0.expected == expected, $0.isAsked == isAsked else { return false }
      return !isAsked || $0.endpoint == endpoint && (invitation == nil || $0.bringsInvitation)
    }
    guard !isUnderWay else { return false }
    guard initiations.count < settings.initiationLimit else {
      if isAsked { outputs.append(.refused(endpoint, .busy)) }
      return false
    }
    var handshake = PeerHandshake(
      isInitiator: true,
      identity: identity,
      record: record,
      carrier: .udp,
      networkSecret: networkSecret,
      invitation: invitation
    )
    guard let message = try? handshake.write() else {
      preconditionFailure("the first message needs nothing of the other")
    }
    let name = freshName()
    let none = [UInt8](repeating: 0, count: Datagram.cookieSize)
    let datagram = Datagram.first(sender: name, cookie: none, message: message)
    initiations[name] = Initiation(
      handshake: handshake,
      endpoint: endpoint,
      expected: expected,
      isAsked: isAsked,
      bringsInvitation: invitation != nil,
      ownName: name,
      firstMessage: message,
      datagram: datagram,
      tries: once ? settings.handshakeTries : 1,
      nextAt: now + (once ? Self.lastWait : wait(1)),
      cookie: none
    )
    outputs.append(.datagram(datagram, to: endpoint))
    return true
  }

  mutating func receiveFirst(
    _ datagram: [UInt8],
    from endpoint: Endpoint,
    now: UInt64
  ) throws(MalformedPacket) {
    guard datagram.count == Datagram.firstSize else { return drop(.malformed) }
    var reader = ByteReader(Array(datagram[2...]))
    let otherName = try reader.number(UInt32.self)
    let cookie = try reader.raw(Datagram.cookieSize)
    let message = try reader.raw(X25519.size)
    if let entry = halfOpen.entry(from: endpoint, otherName: otherName) {
      // One answer for one question: our own timer would send to an address that may be a lie.
      guard entry.firstMessage == message else { return drop(.malformed) }
      outputs.append(.datagram(entry.reply, to: endpoint))
      return
    }
    switch halfOpen.allows(endpoint) {
    case .yes: break
    case .no: return drop(.handshakes)
    case .withCookie:
      guard halfOpen.isValid(cookie, for: endpoint, otherName, now: now) else {
        let own = halfOpen.cookie(for: endpoint, otherName, now: now)
        outputs.append(.datagram(Datagram.cookie(receiver: otherName, own), to: endpoint))
        return drop(.handshakes)
      }
    }
    guard handshakeBucket.take(now: now) else { return drop(.handshakes) }
    try answer(message, of: otherName, at: endpoint, now: now)
  }

  private mutating func answer(
    _ message: [UInt8],
    of otherName: UInt32,
    at endpoint: Endpoint,
    now: UInt64
  ) throws(MalformedPacket) {
    var handshake = PeerHandshake(
      isInitiator: false,
      identity: identity,
      record: record,
      carrier: .udp,
      networkSecret: networkSecret
    )
    try handshake.read(message)
    let second = try handshake.write()
    let name = freshName()
    let reply = Datagram.second(receiver: otherName, sender: name, message: second)
    precondition(
      reply.count <= Datagram.firstSize,
      "an answer must not be longer than its question"
    )
    let entry = HalfOpenHandshakes.Entry(
      handshake: handshake,
      endpoint: endpoint,
      otherName: otherName,
      firstMessage: message,
      reply: reply,
      expiresAt: now + settings.halfOpenTime
    )
    halfOpen.insert(entry, ownName: name)
    outputs.append(.datagram(reply, to: endpoint))
  }

  mutating func receiveCookie(
    _ datagram: [UInt8],
    from endpoint: Endpoint
  ) throws(MalformedPacket) {
    var reader = ByteReader(Array(datagram[2...]))
    let name = try reader.number(UInt32.self)
    let cookie = try reader.raw(Datagram.cookieSize)
    try reader.end()
    guard var initiation = initiations[name], initiation.endpoint == endpoint,
      initiation.stage == .first, initiation.cookie != cookie
    else { return drop(.noSession) }
    initiation.cookie = cookie
    initiation.datagram = Datagram.first(
      sender: name,
      cookie: cookie,
      message: initiation.firstMessage
    )
    initiations[name] = initiation
    outputs.append(.datagram(initiation.datagram, to: endpoint))
  }

  mutating func receiveSecond(
    _ datagram: [UInt8],
    from endpoint: Endpoint,
    roster: inout Roster,
    now: Moment
  ) throws(MalformedPacket) {
    var reader = ByteReader(Array(datagram[2...]))
    let name = try reader.number(UInt32.self)
    let otherName = try reader.number(UInt32.self)
    guard var initiation = initiations[name], initiation.endpoint == endpoint,
      initiation.stage == .first
    else { return drop(.noSession) }
    // Read on the copy: a forged answer must not end the handshake that the true one can still finish.
    try initiation.handshake.read(reader.rest())
    guard let remote = initiation.handshake.remote else { return drop(.malformed) }
    if let expected = initiation.expected, expected != remote.id {
      return refuse(initiation, .otherPeer)
    }
    if initiation.isAsked, let expected = initiation.expected { roster.expect(expected) }
    guard roster.admit(remote, initiation.handshake.proof, now: now) else {
      drop(.unknownPeer)
      return refuse(initiation, .unknownPeer)
    }
    let message = try initiation.handshake.write()
    initiation.datagram = Datagram.third(receiver: otherName, message: message)
    initiation.stage = .third
    initiation.tries = 1
    initiation.nextAt = now.monotonic + wait(1)
    initiations[name] = initiation
    sessions[name] = DatagramSession(
      peer: remote.id,
      names: (own: name, other: otherName),
      isInitiator: true,
      keys: initiation.handshake.split(),
      now: now.monotonic
    )
    outputs.append(.datagram(initiation.datagram, to: endpoint))
  }

  mutating func receiveThird(
    _ datagram: [UInt8],
    from endpoint: Endpoint,
    roster: inout Roster,
    now: Moment
  ) throws(MalformedPacket) {
    var reader = ByteReader(Array(datagram[2...]))
    let name = try reader.number(UInt32.self)
    guard var entry = halfOpen[name] else {
      // The confirmation was lost and the other asks again; it is shorter than the question.
      guard let session = sessions[name], !session.isInitiator,
        let link = links[session.peer], link.endpoint == endpoint,
        now.monotonic - session.openedAt < settings.halfOpenTime,
        let datagram = sessions[name]?.seal([])
      else { return drop(.noSession) }
      outputs.append(.datagram(datagram, to: endpoint))
      return
    }
    guard entry.endpoint == endpoint else { return drop(.noSession) }
    try entry.handshake.read(reader.rest())
    halfOpen.remove(name)
    guard let remote = entry.handshake.remote,
      roster.admit(remote, entry.handshake.proof, now: now)
    else { return drop(.unknownPeer) }
    let session = DatagramSession(
      peer: remote.id,
      names: (own: name, other: entry.otherName),
      isInitiator: false,
      keys: entry.handshake.split(),
      now: now.monotonic
    )
    sessions[name] = session
    guard install(session, at: endpoint, now: now.monotonic),
      let confirmation = sessions[name]?.seal([])
    else { return }
    outputs.append(.datagram(confirmation, to: endpoint))
  }

  private mutating func refuse(_ initiation: Initiation, _ reason: ConnectRefusal) {
    initiations[initiation.ownName] = nil
    sessions[initiation.ownName] = nil
    if initiation.isAsked { outputs.append(.refused(initiation.endpoint, reason)) }
  }

  /// The wait after the `tries`-th sending.
  func wait(_ tries: Int) -> UInt64 { settings.handshakeWait << UInt64(min(tries - 1, 3)) }

  private static let lastWait: UInt64 = 1_000_000_000
}
