extension Mesh {
  /// How far clocks may differ, in milliseconds.
  static let clockTolerance: UInt64 = 300_000

  /// Asks the local network, and some addresses, who is there; `found` tells of each answer.
  ///
  /// - Parameters:
  ///   - endpoints: Asked one by one, beside the group.
  ///   - now: The time.
  package mutating func discover(at endpoints: [Endpoint] = [], now: Moment) {
    let probe = Beacon.probe
    counts.count(out: .discovery, bytes: probe.count)
    actions.append(.multicast(probe))
    for endpoint in endpoints {
      counts.count(out: .discovery, bytes: probe.count)
      actions.append(.datagram(probe, to: endpoint))
    }
    if settings.isDiscoverable { sendBeacon(now: now) }
  }

  mutating func sendBeacon(now: Moment) {
    beaconAt = now.monotonic + settings.beaconInterval
    let datagram = beacon(now: now)
    counts.count(out: .discovery, bytes: datagram.count)
    actions.append(.multicast(datagram))
  }

  private func beacon(now: Moment) -> [UInt8] {
    Beacon(
      identity,
      port: membership.record.endpoint.port,
      name: membership.record.name,
      networkSecret: settings.networkSecret,
      time: now.wall
    ).datagram
  }

  mutating func receiveProbe(_ datagram: [UInt8], from endpoint: Endpoint, now: Moment) {
    counts.count(in: .discovery, bytes: datagram.count)
    // A shorter question could make this peer send more to an address that may be a lie.
    guard datagram.count == Beacon.probeSize else { return drop(.malformed) }
    guard settings.isDiscoverable else { return }
    guard probeBucket.take(now: now.monotonic) else { return drop(.rate) }
    let answer = beacon(now: now)
    counts.count(out: .discovery, bytes: answer.count)
    actions.append(.datagram(answer, to: endpoint))
  }

  mutating func receiveBeacon(
    _ datagram: [UInt8],
    from endpoint: Endpoint,
    roster: Roster,
    now: Moment
  ) {
    counts.count(in: .discovery, bytes: datagram.count)
    guard beaconBucket.take(now: now.monotonic) else { return drop(.rate) }
    guard let beacon = try? Beacon(datagram: datagram),
      let place = Endpoint(address: endpoint.address, port: beacon.port)
    else { return drop(.malformed) }
    guard beacon.id != identity.id else { return }
    let distance = beacon.time > now.wall ? beacon.time - now.wall : now.wall - beacon.time
    guard distance <= Self.clockTolerance else { return drop(.time) }
    let isKnown = roster.isKnown(beacon.id) || beacon.isOf(network: settings.networkSecret)
    actions.append(.found(beacon.id, place, name: beacon.name, isKnown: isKnown))
    if isKnown, !sessions.isOpen(beacon.id) {
      sessions.open(place, expecting: beacon.id, now: now.monotonic)
    }
  }
}
