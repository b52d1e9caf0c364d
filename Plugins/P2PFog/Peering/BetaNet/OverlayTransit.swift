/// Circuits of others: opened, lengthened, passed on, ended.
extension Overlay {
  /// Takes CREATE.
  mutating func open(_ cell: Cell, _ leg: CircuitTable.Leg, _ now: Moment) {
    guard let link = links[leg.link] else { return }
    guard CircuitTable.mayOpen(cell.circuit, otherIsInitiator: !link.isInitiator) else {
      end(leg.link, .malformed("opens a circuit with a number of the other side's"), now)
      return
    }
    let fresh = Allowance(
      burst: settings.openingBurst,
      perSecond: settings.openingsPerSecond,
      now: now.monotonic
    )
    guard circuits.openings[leg.link, default: fresh].take(now: now.monotonic),
      circuits.transits.count < settings.transitLimit,
      circuits.transits(from: leg.link) < settings.transitsPerLink
    else {
      refuseOpening(leg, now)
      return
    }
    do throws(MalformedPacket) {
      let (reply, layer) = try CircuitHandshake.answer(cell.payload, identity)
      let serial = circuits.nextSerial()
      let transit = TransitCircuit(previous: leg, layer: layer, now: now.monotonic)
      circuits.transits[serial] = transit
      circuits.set(.previous(serial), leg)
      wake(at: end(of: transit))
      circuits.refusals[leg.link] = nil
      counters.openedTransits += 1
      if !send(.created, reply, leg) { remove(serial, .limit, now) }
    } catch {
      counters.refusedTransits += 1
      _ = send(.destroy, [CircuitEnd.malformed.rawValue], leg)
    }
  }

  private mutating func refuseOpening(_ leg: CircuitTable.Leg, _ now: Moment) {
    counters.refusedTransits += 1
    circuits.refusals[leg.link, default: 0] += 1
    if circuits.refusals[leg.link, default: 0] >= settings.refusedOpenings {
      end(leg.link, .flood("opens too many circuits"), now)
    } else {
      _ = send(.destroy, [CircuitEnd.limit.rawValue], leg)
    }
  }

  /// Takes a payload from the side of the sender.
  mutating func takeForward(
    _ payload: [UInt8],
    _ serial: Int,
    _ roster: Roster,
    _ now: Moment
  ) {
    guard let (plain, content) = circuits.transits[serial]?.layer.forward.open(payload) else {
      return
    }
    circuits.transits[serial]?.usedAt = now.monotonic
    if let content {
      do throws(MalformedPacket) {
        try obey(RelayContent(content), serial, roster, now)
      } catch {
        breakOff(serial, .malformed, now)
      }
      return
    }
    // What was on its way to hops that are gone.
    if circuits.transits[serial]?.isTruncated == true { return }
    // At its end nobody else can be meant: the payload was altered on its way.
    guard let next = circuits.transits[serial]?.onward else {
      breakOff(serial, .malformed, now)
      return
    }
    counters.relayedCells += 1
    if !send(.relay, plain, next) { breakOff(serial, .limit, now) }
  }

  private mutating func obey(
    _ content: RelayContent,
    _ serial: Int,
    _ roster: Roster,
    _ now: Moment
  ) throws(MalformedPacket) {
    guard circuits.transits[serial]?.isEnd == true else {
      throw MalformedPacket("asks a hop that is not the last")
    }
    let isArriving = circuits.transits[serial]?.reader != nil
    switch content.command {
    case .extend: try extend(serial, content.data, roster, now)
    case .begin:
      guard !isArriving else { throw MalformedPacket("begins a message within one") }
      let reader = try EnvelopeReader(
        content.data,
        deadline: now.monotonic + settings.arrivalLimit
      )
      guard circuits.arriving + reader.size <= settings.arrivingBytes else {
        breakOff(serial, .limit, now)
        return
      }
      circuits.transits[serial]?.reader = reader
      wake(at: reader.deadline)
      try deliver(serial, roster, now)
    case .data:
      guard isArriving else { throw MalformedPacket("goes on without a beginning") }
      try circuits.transits[serial]?.reader?.append(content.data)
      try deliver(serial, roster, now)
    case .extended, .truncated, .receipt, .refused:
      throw MalformedPacket("says what only a hop says")
    }
  }

  private mutating func extend(
    _ serial: Int,
    _ request: [UInt8],
    _ roster: Roster,
    _ now: Moment
  ) throws(MalformedPacket) {
    guard let transit = circuits.transits[serial], transit.reader == nil,
      request.count == CircuitHandshake.requestSize
    else { throw MalformedPacket("asks for a next hop in no valid way") }
    var reader = ByteReader(request)
    let peer = try reader.peer()
    // Back to where it came from would show a relay twice in a row (tor-spec, section 5.3).
    guard peer != identity.id, peer != links[transit.previous.link]?.remote?.id else {
      throw MalformedPacket("asks for a next hop that it came from")
    }
    guard circuits.extending(from: transit.previous.link) < settings.extendingPerLink else {
      truncate(serial, .limit, now)
      return
    }
    guard roster.isKnown(peer), peers[peer] != nil || connect(to: peer, roster: roster, now: now)
    else {
      truncate(serial, .unknownPeer, now)
      return
    }
    circuits.transits[serial]?.extending = TransitCircuit.Extending(
      peer: peer,
      request: request,
      deadline: now.monotonic + settings.extendLimit
    )
    wake(at: now.monotonic + settings.extendLimit)
    if peers[peer] != nil { create(serial, now) }
  }

  /// Sends CREATE to the next hop, to which there is a link.
  mutating func create(_ serial: Int, _ now: Moment) {
    guard let extending = circuits.transits[serial]?.extending, let number = peers[extending.peer],
      let link = links[number]
    else { return }
    let leg = circuits.freshLeg(on: number, isInitiator: link.isInitiator)
    circuits.set(.next(serial), leg)
    circuits.transits[serial]?.next = leg
    if !send(.create, extending.request, leg) { truncate(serial, .limit, now) }
  }

  /// Takes CREATED of the next hop.
  mutating func confirmExtend(_ payload: [UInt8], _ serial: Int, _ now: Moment) {
    guard circuits.transits[serial]?.extending != nil else {
      breakOff(serial, .malformed, now)
      return
    }
    circuits.transits[serial]?.extending = nil
    circuits.transits[serial]?.usedAt = now.monotonic
    let reply = Array(payload.prefix(CircuitHandshake.replySize))
    say(RelayContent(.extended, reply), serial, now)
  }

  /// Takes a payload from the side of the recipient.
  mutating func passBack(_ payload: [UInt8], _ serial: Int, _ now: Moment) {
    guard var transit = circuits.transits[serial] else { return }
    guard transit.extending == nil else {
      breakOff(serial, .malformed, now)
      return
    }
    let layered = transit.layer.backward.pass(payload)
    transit.usedAt = now.monotonic
    circuits.transits[serial] = transit
    counters.relayedCells += 1
    if !send(.relay, layered, transit.previous) { breakOff(serial, .limit, now) }
  }

  /// Says something to the sender of a circuit.
  mutating func say(_ content: RelayContent, _ serial: Int, _ now: Moment) {
    guard var transit = circuits.transits[serial] else { return }
    let payload = transit.layer.backward.pass(transit.layer.backward.tagged(content))
    circuits.transits[serial] = transit
    if !send(.relay, payload, transit.previous) { breakOff(serial, .limit, now) }
  }

  /// What is behind this hop is gone: the sender hears it from the hop that saw it, and ends the circuit itself.
  mutating func truncate(
    _ serial: Int,
    _ why: CircuitEnd,
    _ now: Moment,
    tellsNext: Bool = true
  ) {
    if let next = circuits.transits[serial]?.next { drop(next, why, tells: tellsNext) }
    circuits.transits[serial]?.next = nil
    circuits.transits[serial]?.extending = nil
    circuits.transits[serial]?.isTruncated = true
    say(RelayContent(.truncated, [why.rawValue]), serial, now)
  }

  /// Ends a circuit in both directions.
  mutating func breakOff(_ serial: Int, _ why: CircuitEnd, _ now: Moment) {
    guard let previous = circuits.transits[serial]?.previous else { return }
    remove(serial, why, now)
    drop(previous, why)
  }

  /// Ends a circuit whose sender is gone or has ended it; what is behind is told.
  mutating func remove(_ serial: Int, _ why: CircuitEnd, _ now: Moment) {
    guard let transit = circuits.transits.removeValue(forKey: serial) else { return }
    circuits.set(nil, transit.previous)
    links[transit.previous.link]?.discard(circuit: transit.previous.circuit)
    if let next = transit.next { drop(next, why) }
  }
}
