/// This peer's own circuits.
extension Overlay {
  /// Begins a circuit, unless one that can be used is there or on its way; messages that are sent later find it.
  ///
  /// - Parameters:
  ///   - recipient: Its last hop.
  ///   - hops: 2 to 6; `nil` for as many as the settings say.
  ///   - roster: Who is known.
  ///   - now: The moment.
  /// - Returns: Whether there is one now; false when there are not enough peers, or too many circuits in the making.
  @discardableResult
  package mutating func prepare(
    _ recipient: PeerID,
    hops: Int? = nil,
    roster: Roster,
    now: Moment
  ) -> Bool {
    let hops = hops ?? settings.hops
    guard OverlaySettings.hopRange.contains(hops), recipient != identity.id else { return false }
    defer { settle(now) }
    if usable(recipient, hops, now) != nil { return true }
    guard case .success = build(recipient, hops, roster, now) else { return false }
    return true
  }

  /// A circuit that may take a further message; open ones first.
  func usable(_ recipient: PeerID, _ hops: Int, _ now: Moment) -> Int? {
    let fitting = circuits.origins.filter {
      $0.value.recipient == recipient && $0.value.wantedHops == hops && !isWorn($0.value, now)
    }
    return fitting.min { ($0.value.isOpen ? 0 : 1, $0.key) < ($1.value.isOpen ? 0 : 1, $1.key) }?
      .key
  }

  func isWorn(_ origin: OriginCircuit, _ now: Moment) -> Bool {
    guard let openedAt = origin.openedAt else { return false }
    return now.monotonic >= openedAt + settings.rotateAfter
      || origin.messages >= settings.rotateMessages
  }

  /// Begins a circuit.
  ///
  /// - Returns: Its serial number; or why there is none, `nil` for a limit that passes.
  mutating func build(_ recipient: PeerID, _ hops: Int, _ roster: Roster, _ now: Moment)
    -> Result<Int, CircuitImpossible>
  {
    guard roster.record(of: recipient) != nil else { return .failure(.unknownRecipient) }
    guard circuits.origins.values.count(where: { !$0.isOpen }) < settings.buildingLimit else {
      return .failure(.later)
    }
    failed = failed.filter { $0.value > now.monotonic }
    let candidates = relays(to: recipient, roster)
    let choice = PathChoice(
      candidates: candidates,
      linked: candidates.intersection(peers.keys),
      failed: candidates.intersection(failed.keys)
    )
    let minimum = minimum(hops)
    guard let ids = choice.path(hops: hops, minimum: minimum, to: recipient) else {
      return .failure(.tooFewPeers(needed: minimum - 1, known: candidates.count))
    }
    let serial = circuits.nextSerial()
    circuits.origins[serial] = OriginCircuit(
      to: recipient,
      wantedHops: hops,
      path: ids.compactMap(roster.record),
      step: settings.stepLimit,
      now: now.monotonic
    )
    wake(at: now.monotonic + settings.stepLimit)
    if peers[ids[0]] != nil {
      create(origin: serial, now)
    } else {
      connect(to: ids[0], roster: roster, now: now)
    }
    return .success(serial)
  }

  /// Whether a circuit needs more peers than are there, and there would be enough if all that are known were.
  ///
  /// - Parameters:
  ///   - recipient: Its last hop.
  ///   - hops: 2 to 6; `nil` for as many as the settings say.
  ///   - roster: Who is known.
  /// - Returns: Whether waiting may help.
  package func lacksPeers(to recipient: PeerID, hops: Int?, roster: Roster) -> Bool {
    let needed = minimum(hops ?? settings.hops) - 1
    let others = Set(roster.all.map(\.id)).subtracting([recipient, identity.id])
    return relays(to: recipient, roster).count < needed && others.count >= needed
  }

  private func relays(to recipient: PeerID, _ roster: Roster) -> Set<PeerID> {
    let known = Set(roster.all.map(\.id)).subtracting([recipient, identity.id])
    return alive.map(known.intersection) ?? known
  }

  private func minimum(_ hops: Int) -> Int { min(hops, max(2, settings.minimumHops ?? hops)) }

  /// Sends CREATE to the first hop, to which there is a link.
  mutating func create(origin serial: Int, _ now: Moment) {
    guard let first = circuits.origins[serial]?.path[0], let number = peers[first.id],
      let link = links[number]
    else { return }
    let leg = circuits.freshLeg(on: number, isInitiator: link.isInitiator)
    let handshake = CircuitHandshake(with: first)
    circuits.set(.origin(serial), leg)
    circuits.origins[serial]?.leg = leg
    circuits.origins[serial]?.handshake = handshake
    circuits.origins[serial]?.stepDeadline = now.monotonic + settings.stepLimit
    if !send(.create, handshake.request, leg) { fail(serial, .limit, atHop: nil, now) }
  }

  /// Takes a hop's reply, and asks for the next hop or uses the circuit.
  mutating func lengthen(_ serial: Int, by reply: [UInt8], _ roster: Roster, _ now: Moment) {
    guard var origin = circuits.origins[serial] else { return }
    guard let handshake = origin.handshake, let layer = try? handshake.finish(reply) else {
      fail(serial, .malformed, atHop: blamed(serial), now)
      return
    }
    origin.layers.append(layer)
    origin.handshake = nil
    origin.usedAt = now.monotonic
    origin.stepDeadline = now.monotonic + settings.stepLimit
    let isComplete = origin.layers.count == origin.path.count
    if isComplete {
      origin.openedAt = now.monotonic
      circuits.origins[serial] = origin
      wake(at: end(of: origin, isBusy: false))
      counters.builtCircuits += 1
      let duration = now.monotonic - origin.begunAt
      let hops = origin.path.count
      actions.append(
        .circuit(.built(recipient: origin.recipient, hops: hops, duration: duration))
      )
      dispatch(roster, now)
      return
    }
    let next = CircuitHandshake(with: origin.path[origin.layers.count])
    origin.handshake = next
    circuits.origins[serial] = origin
    if !say(RelayContent(.extend, next.request), origin: serial) {
      fail(serial, .limit, atHop: nil, now)
    }
  }

  /// Sends a content to the last hop of an own circuit; whether there was room.
  mutating func say(_ content: RelayContent, origin serial: Int) -> Bool {
    guard let leg = circuits.origins[serial]?.leg,
      let payload = circuits.origins[serial]?.seal(content)
    else { return false }
    return send(.relay, payload, leg)
  }

  /// Takes a payload that came back.
  mutating func takeBack(_ payload: [UInt8], _ serial: Int, _ roster: Roster, _ now: Moment) {
    guard let (hop, bytes) = circuits.origins[serial]?.open(payload),
      let content = try? RelayContent(bytes), let origin = circuits.origins[serial]
    else {
      fail(serial, .malformed, atHop: nil, now)
      return
    }
    circuits.origins[serial]?.usedAt = now.monotonic
    let isLast = hop == origin.layers.count - 1
    switch content.command {
    case .extended where isLast && origin.handshake != nil && !origin.isOpen:
      lengthen(serial, by: content.data, roster, now)
    case .truncated: fail(serial, CircuitEnd(content.data), atHop: hop + 1, now)
    case .receipt where isLast && origin.isOpen: confirm(content.data, serial, roster, now)
    case .refused where isLast && origin.isOpen: refuse(content.data, serial, roster, now)
    default: fail(serial, .malformed, atHop: hop, now)
    }
  }

  /// The hop that is to answer, or the first when all have.
  func blamed(_ serial: Int) -> Int? {
    guard let origin = circuits.origins[serial] else { return nil }
    return origin.isOpen ? 0 : origin.layers.count
  }

  /// Ends an own circuit that is of no more use, and puts its messages back.
  ///
  /// - Parameters:
  ///   - serial: The circuit.
  ///   - why: The reason.
  ///   - hop: Who is passed over for a while; `nil` where nobody or all might be it.
  ///   - now: The moment.
  ///   - tellsHop: Whether the first hop has to hear it.
  mutating func fail(
    _ serial: Int,
    _ why: CircuitEnd,
    atHop hop: Int?,
    _ now: Moment,
    tellsHop: Bool = true
  ) {
    guard let origin = circuits.origins.removeValue(forKey: serial) else { return }
    retire(origin, why, tellsHop: tellsHop)
    let isBlamed = hop.map { min($0, origin.path.count - 1) }
    let suspects = isBlamed.map { [origin.path[$0]] } ?? origin.path
    for suspect in suspects { failed[suspect.id] = now.monotonic + settings.failedFor }
    counters.failedCircuits[why.word, default: 0] += 1
    actions.append(.circuit(.failed(recipient: origin.recipient, why)))
    for id in outbox.messages(of: serial) { retry(id, why, now) }
  }

  /// Ends an own circuit that has no messages, as planned.
  mutating func close(_ serial: Int, _ why: CircuitEnd) {
    guard let origin = circuits.origins.removeValue(forKey: serial) else { return }
    retire(origin, .finished, tellsHop: true)
    counters.closedCircuits += 1
    actions.append(.circuit(.closed(recipient: origin.recipient, why)))
  }

  private mutating func retire(_ origin: OriginCircuit, _ why: CircuitEnd, tellsHop: Bool) {
    if let leg = origin.leg { drop(leg, why, tells: tellsHop) }
  }
}

/// Why no circuit can be begun.
enum CircuitImpossible: Error, Equatable, Sendable {
  case unknownRecipient
  case tooFewPeers(needed: Int, known: Int)
  case later
}
