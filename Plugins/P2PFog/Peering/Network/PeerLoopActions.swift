/// What mesh and overlay have asked the loop to do.
extension PeerLoop {
  /// Carries out all that is asked for: stores first, then tells and sends.
  func carryOut() {
    while !mesh.actions.isEmpty || !overlay.actions.isEmpty || !roster.changes.isEmpty {
      let fromMesh = mesh.actions
      let fromOverlay = overlay.actions
      mesh.actions = []
      overlay.actions = []
      let isStored = store(fromMesh, fromOverlay)
      for action in fromMesh { carryOut(action, isStored: isStored) }
      for action in fromOverlay { carryOut(action, isStored: isStored) }
    }
  }

  private func store(_ fromMesh: [Mesh.Action], _ fromOverlay: [Overlay.Action]) -> Bool {
    var batch = NetworkBatch()
    for case .received(let message, let hops) in fromMesh {
      batch.arrivals.append((message, .bitchat, hops))
    }
    for case .received(let message) in fromOverlay { batch.arrivals.append((message, .betanet, nil)) }
    batch.changes = roster.changes
    roster.changes = []
    guard !batch.arrivals.isEmpty || !batch.changes.isEmpty else { return true }
    do {
      try surroundings.store(batch)
      return true
    } catch {
      surroundings.warn("What came from peers could not be stored: \(error).")
      return false
    }
  }

  private func carryOut(_ action: Mesh.Action, isStored: Bool) {
    switch action {
    case .datagram(let bytes, let endpoint):
      // A lost datagram is sent again by its protocol; a receipt for what is not stored could not be taken back.
      if isStored { send(bytes, to: endpoint) }
    case .multicast(let bytes): multicast(bytes)
    case .received: break
    default: tell(action)
    }
  }

  private func carryOut(_ action: Overlay.Action, isStored: Bool) {
    switch action {
    case .write(let link, let bytes):
      guard isStored else { return close(link) }
      connections[link]?.append(bytes)
      write(link)
    case .close(let link, _): connections[link] = nil
    case .dial(let endpoint, let peer): dial(endpoint, for: peer, invitation: nil)
    case .received: break
    default: tell(action)
    }
  }

  private func close(_ link: Int) {
    if connections.removeValue(forKey: link) != nil { overlay.closed(link, now: now) }
  }
}
