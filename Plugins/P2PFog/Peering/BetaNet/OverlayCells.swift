/// Cells that come in, and where they belong.
extension Overlay {
  mutating func take(cell bytes: [UInt8], on link: Int, _ roster: Roster, _ now: Moment) {
    let cell: Cell
    do throws(MalformedPacket) {
      cell = try Cell(bytes)
    } catch {
      end(link, .malformed(error.reason), now)
      return
    }
    let leg = CircuitTable.Leg(link: link, circuit: cell.circuit)
    guard let role = circuits.role(leg) else {
      if cell.command == .create { open(cell, leg, now) } else { counters.strayCells += 1 }
      return
    }
    switch (cell.command, role) {
    case (.relay, .origin(let serial)): takeBack(cell.payload, serial, roster, now)
    case (.relay, .previous(let serial)): takeForward(cell.payload, serial, roster, now)
    case (.relay, .next(let serial)): passBack(cell.payload, serial, now)
    case (.created, .origin(let serial)): lengthen(serial, by: cell.payload, roster, now)
    case (.created, .next(let serial)): confirmExtend(cell.payload, serial, now)
    case (.destroy, .origin(let serial)):
      fail(serial, CircuitEnd(cell.payload), atHop: blamed(serial), now, tellsHop: false)
    case (.destroy, .previous(let serial)): remove(serial, CircuitEnd(cell.payload), now)
    case (.destroy, .next(let serial)):
      truncate(serial, CircuitEnd(cell.payload), now, tellsNext: false)
    case (.create, _): end(link, .malformed("opens a circuit twice"), now)
    case (.created, .previous): end(link, .malformed("answers a circuit of its own"), now)
    }
  }

  /// Puts a cell on a leg; what does not fit ends the circuit.
  ///
  /// - Returns: Whether there was room.
  mutating func send(_ command: Cell.Command, _ payload: [UInt8], _ leg: CircuitTable.Leg) -> Bool {
    let cell = Cell(circuit: leg.circuit, command: command, payload: payload)
    touch(leg.link)
    return links[leg.link]?.send(cell: cell.bytes, circuit: leg.circuit) ?? false
  }

  /// Ends a circuit on a leg: what waits for it is forgotten, and the other side is told unless it has said so.
  mutating func drop(_ leg: CircuitTable.Leg, _ why: CircuitEnd, tells: Bool = true) {
    circuits.set(nil, leg)
    links[leg.link]?.discard(circuit: leg.circuit)
    if tells { _ = send(.destroy, [why.rawValue], leg) }
  }

  /// A link is there: circuits that waited for it go on.
  mutating func continueCircuits(over peer: PeerID, _ now: Moment) {
    for serial in circuits.transits.keys.sorted() {
      guard let transit = circuits.transits[serial], transit.next == nil,
        transit.extending?.peer == peer
      else { continue }
      create(serial, now)
    }
    for serial in circuits.origins.keys.sorted() {
      guard let origin = circuits.origins[serial], origin.leg == nil, origin.path[0].id == peer
      else { continue }
      create(origin: serial, now)
    }
  }

  /// There will be no link: circuits that waited for it fail.
  mutating func failCircuits(waitingFor peer: PeerID, _ now: Moment) {
    for serial in circuits.transits.keys.sorted() {
      guard let transit = circuits.transits[serial], transit.next == nil,
        transit.extending?.peer == peer
      else { continue }
      truncate(serial, .unreachable, now)
    }
    for serial in circuits.origins.keys.sorted() {
      guard let origin = circuits.origins[serial], origin.leg == nil, origin.path[0].id == peer
      else { continue }
      fail(serial, .unreachable, atHop: 0, now)
    }
  }

  /// A link is gone, and with it all circuits over it.
  mutating func endCircuits(on link: Int, _ now: Moment) {
    circuits.openings[link] = nil
    circuits.refusals[link] = nil
    for serial in circuits.transits.keys.sorted() {
      guard let transit = circuits.transits[serial] else { continue }
      if transit.previous.link == link {
        remove(serial, .linkLost, now)
      } else if transit.next?.link == link {
        truncate(serial, .linkLost, now)
      }
    }
    for serial in circuits.origins.keys.sorted()
    where circuits.origins[serial]?.leg?.link == link {
      fail(serial, .linkLost, atHop: 0, now)
    }
  }
}
