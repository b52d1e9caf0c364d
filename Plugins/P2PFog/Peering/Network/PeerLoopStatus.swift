/// What the loop tells of mesh and overlay.
extension PeerLoop {
  /// Fills in peers and counts.
  func fill(_ status: inout NetworkStatus) {
    let links = Dictionary(overlay.states.map { ($0.peer, $0) }) { first, _ in first }
    status.peers = roster.all.map { peer($0, links[$0.id]) }
    status.activeCircuits = overlay.activeCircuits
    status.relayedCircuits = overlay.relayedCircuits
    status.mesh = meshCounts
    status.overlay = overlayCounts
  }

  private func peer(_ record: PeerRecord, _ link: LinkState?) -> NetworkStatus.Peer {
    let member = mesh.member(record.id)
    let quality = member?.quality
    return NetworkStatus.Peer(
      record: record,
      state: member?.state.name ?? "unknown",
      stateSeconds: member.map {
        Int((now.monotonic - min(now.monotonic, $0.changedAt)) / 1_000_000_000)
      },
      hasSession: mesh.isConnected(record.id),
      hasLink: link != nil,
      latencyMicroseconds: quality?.roundTrip.map { Int($0 / 1000) },
      loss: quality.flatMap { $0.sent > 0 ? $0.loss : nil },
      linkLatencyMicroseconds: link?.roundTrip.map { Int($0.smoothed / 1000) }
    )
  }

  private var meshCounts: [NetworkStatus.Count] {
    let counters = mesh.counters
    let total = counters.total
    let counts: [NetworkStatus.Count] = [
      .init("messages_sent", counters.messagesSent),
      .init("messages_delivered", counters.messagesConfirmed),
      .init("messages_undelivered", counters.messagesUndelivered),
      .init("messages_received", counters.messagesReceived),
      .init("messages_waiting", UInt64(mesh.outboxCount)),
      .init("messages_stored", UInt64(mesh.storedMessages.count)),
      .init("packets_sent", total.packetsOut), .init("packets_received", total.packetsIn),
      .init("bytes_sent", total.bytesOut), .init("bytes_received", total.bytesIn),
      .init("packets_forwarded", counters.forwarded), .init("duplicates", counters.duplicates),
      .init("retransmissions", counters.retransmissions), .init("handshakes", mesh.handshakes),
      .init("sent_direct", counters.directRoutes), .init("sent_by_mesh", counters.meshRoutes),
    ]
    let drops = counters.drops.sorted { $0.key.rawValue < $1.key.rawValue }
    return counts + drops.map { .init("dropped_\($0.key.rawValue)", $0.value) }
  }

  private var overlayCounts: [NetworkStatus.Count] {
    let counters = overlay.counters
    let traffic = overlay.traffic
    let counts: [NetworkStatus.Count] = [
      .init(
        "messages_sent",
        counters.confirmedMessages + counters.undeliveredMessages + UInt64(overlay.waitingMessages)
      ),
      .init("messages_delivered", counters.confirmedMessages),
      .init("messages_undelivered", counters.undeliveredMessages),
      .init("messages_received", counters.receivedMessages),
      .init("messages_waiting", UInt64(overlay.waitingMessages)),
      .init("messages_retried", counters.retriedMessages),
      .init("bytes_sent", traffic.bytesOut), .init("bytes_received", traffic.bytesIn),
      .init("cells_sent", traffic.cellsOut), .init("cells_received", traffic.cellsIn),
      .init("cells_relayed", counters.relayedCells), .init("cells_stray", counters.strayCells),
      .init("padding_sent", traffic.paddingOut), .init("padding_received", traffic.paddingIn),
      .init("circuits_built", counters.builtCircuits),
      .init("circuits_ending_here", UInt64(overlay.endingCircuits)),
    ]
    let failed = counters.failedCircuits.sorted { $0.key < $1.key }
      .map { NetworkStatus.Count("circuits_failed_\($0.key)", $0.value) }
    let refused = counters.refusedHandshakes.sorted { $0.key < $1.key }
      .map { NetworkStatus.Count("refused_\($0.key)", $0.value) }
    return counts + failed + refused
  }
}
