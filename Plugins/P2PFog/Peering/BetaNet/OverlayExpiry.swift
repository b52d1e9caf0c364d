/// What ends by time: steps, idle circuits, worn ones, messages without receipt.
extension Overlay {
  /// When `expireCircuits` has something to do, apart from messages.
  var circuitDeadline: UInt64? {
    let busy = outbox.circuits
    var next: UInt64?
    for (serial, origin) in circuits.origins {
      next = min(next ?? .max, end(of: origin, isBusy: busy.contains(serial)))
    }
    for transit in circuits.transits.values { next = min(next ?? .max, end(of: transit)) }
    return next
  }

  func end(of origin: OriginCircuit, isBusy: Bool) -> UInt64 {
    guard let openedAt = origin.openedAt else { return origin.stepDeadline }
    // With messages on it, their own deadlines count.
    if isBusy { return .max }
    if origin.messages >= settings.rotateMessages { return 0 }
    return min(openedAt + settings.rotateAfter, origin.usedAt + settings.originIdle)
  }

  func end(of transit: TransitCircuit) -> UInt64 {
    let idle = transit.usedAt + settings.transitIdle
    return min(idle, transit.extending?.deadline ?? idle, transit.reader?.deadline ?? idle)
  }

  mutating func expireCircuits(_ roster: Roster, _ now: Moment) {
    for serial in circuits.transits.keys.sorted() {
      guard let transit = circuits.transits[serial], end(of: transit) <= now.monotonic else {
        continue
      }
      if let extending = transit.extending, extending.deadline <= now.monotonic {
        truncate(serial, .unreachable, now)
      } else {
        breakOff(serial, transit.reader == nil ? .idle : .timeout, now)
      }
    }
    for id in outbox.turns {
      if case .sent(let circuit, _, let deadline) = outbox.entries[id]?.state,
        deadline <= now.monotonic
      {
        fail(circuit, .unconfirmed, atHop: nil, now)
      }
    }
    let busy = outbox.circuits
    for serial in circuits.origins.keys.sorted() {
      guard let origin = circuits.origins[serial],
        end(of: origin, isBusy: busy.contains(serial)) <= now.monotonic
      else { continue }
      if !origin.isOpen {
        fail(serial, .timeout, atHop: blamed(serial), now)
      } else {
        close(serial, isWorn(origin, now) ? .finished : .idle)
      }
    }
    dispatch(roster, now)
    senders = senders.filter { entry in
      var allowance = entry.value
      return !allowance.isFull(now: now.monotonic)
    }
  }
}
