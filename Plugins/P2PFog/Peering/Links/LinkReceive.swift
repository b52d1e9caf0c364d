/// What comes in on a link.
extension Link {
  /// Takes bytes of the connection, in any pieces.
  ///
  /// - Parameters:
  ///   - bytes: As they came.
  ///   - roster: Who is let in; a peer may become known here.
  ///   - now: The moment.
  /// - Returns: What they mean, in order; and why the link is over after that, if it is: the connection is closed, and
  ///   nothing more is said.
  package mutating func receive(
    _ bytes: [UInt8],
    roster: inout Roster,
    now: Moment
  ) -> (events: [Event], closure: LinkClosure?) {
    counts.bytesIn += UInt64(bytes.count)
    input += bytes
    var events: [Event] = []
    do throws(LinkClosure) {
      try consume(&roster, now, &events)
    } catch {
      return (events, error)
    }
    flush(now: now.monotonic)
    return (events, nil)
  }

  private mutating func consume(
    _ roster: inout Roster,
    _ now: Moment,
    _ events: inout [Event]
  ) throws(LinkClosure) {
    var start = 0
    if !hasVersion, let version = input.first {
      guard version == PeerHandshake.version else { throw .version(version) }
      hasVersion = true
      start = 1
    }
    while let message = try nextMessage(&start) {
      switch phase {
      case .handshaking: try shake(message, &roster, now, &events)
      case .proving, .open: try open(message, now, &events)
      }
    }
    input.removeSubrange(..<start)
  }

  /// The initiator's first words.
  mutating func begin() {
    output.append(PeerHandshake.version)
    counts.bytesOut += 1
    do throws(MalformedPacket) {
      frameMessage(try handshake.write())
    } catch {
      preconditionFailure("the first message needs no key of the other's")
    }
  }

  private func nextMessage(_ start: inout Int) throws(LinkClosure) -> [UInt8]? {
    guard input.count - start >= 2 else { return nil }
    let count = Int(input[start]) << 8 | Int(input[start + 1])
    if phase == .handshaking, count > Self.handshakeSizeLimit {
      throw .handshake("is too long for a handshake")
    }
    guard input.count - start - 2 >= count else { return nil }
    defer { start += 2 + count }
    return Array(input[(start + 2)..<(start + 2 + count)])
  }

  private mutating func shake(
    _ message: [UInt8],
    _ roster: inout Roster,
    _ now: Moment,
    _ events: inout [Event]
  ) throws(LinkClosure) {
    do throws(MalformedPacket) {
      try handshake.read(message)
    } catch {
      throw .handshake(error.reason)
    }
    if let record = handshake.remote {
      if let expecting, expecting != record.id { throw .wrongPeer }
      guard roster.admit(record, handshake.proof, now: now) else { throw .notAdmitted }
      remote = record
    }
    if !handshake.isComplete {
      if !isInitiator {
        output.append(PeerHandshake.version)
        counts.bytesOut += 1
      }
      do throws(MalformedPacket) {
        frameMessage(try handshake.write())
      } catch {
        throw .handshake(error.reason)
      }
    }
    guard handshake.isComplete else { return }
    let keys = handshake.split()
    sender = LinkCipher(key: keys.send, settings: settings)
    receiver = LinkCipher(key: keys.receive, settings: settings)
    phase = .proving
    if !isInitiator { try establish(now.monotonic, &events) }
  }

  private mutating func establish(_ now: UInt64, _ events: inout [Event]) throws(LinkClosure) {
    guard let remote else { preconditionFailure("the handshake has shown a record") }
    phase = .open
    establishedAt = now
    // At once: it tells the initiator that it is let in, and measures.
    liveness = Liveness(settings: settings, now: now)
    if let ping = try liveness.advance(now: now) { control.append(ping) }
    events.append(.established(remote))
  }

  private mutating func open(
    _ message: [UInt8],
    _ now: Moment,
    _ events: inout [Event]
  ) throws(LinkClosure) {
    guard let plain = try receiver?.open(message) else { return }
    if phase == .proving { try establish(now.monotonic, &events) }
    liveness.hear()
    decoder.append(plain)
    do throws(MalformedPacket) {
      while let frame = try decoder.next() { try take(frame, now.monotonic, &events) }
    } catch {
      throw .malformed(error.reason)
    }
    guard control.count + streams.control.count <= settings.controlLimit else {
      throw .flood("asks more than it takes answers")
    }
  }

  private mutating func take(
    _ frame: HTXFrame,
    _ now: UInt64,
    _ events: inout [Event]
  ) throws(MalformedPacket) {
    guard frame.stream == 0 else {
      if let event = try streams.receive(frame, now: now) { events.append(Event(event)) }
      return
    }
    switch frame.kind {
    case .data, .padding:
      guard frame.payload.count == Cell.size else {
        throw MalformedPacket("has a cell of \(frame.payload.count) bytes")
      }
      if frame.kind == .data {
        counts.cellsIn += 1
        events.append(.cell(frame.payload))
      } else {
        counts.paddingIn += 1
        events.append(.padding)
      }
    case .ping:
      if let answer = try liveness.receive(frame.payload, now: now) { control.append(answer) }
    case .keyUpdate:
      guard frame.payload.isEmpty, decoder.isAtBoundary else {
        throw MalformedPacket("has something behind the end of a key")
      }
      receiver?.rekey()
    case .window, .control:
      throw MalformedPacket("has a frame of a call on the stream of the link")
    }
  }
}
