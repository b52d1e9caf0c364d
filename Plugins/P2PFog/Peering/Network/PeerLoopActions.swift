/// What mesh and overlay have asked the loop to do.
extension PeerLoop {
  /// Outcomes that wait for a store that fails; of messages beyond it the sender learns when the gateway starts again.
  private static let unstoredLimit = 10_000

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

  /// Stores what came.
  ///
  /// - Returns: False when something is not stored: its senders have to send it again, and must not be told otherwise.
  private func store(_ fromMesh: [Mesh.Action], _ fromOverlay: [Overlay.Action]) -> Bool {
    var batch = NetworkBatch()
    for case .received(let message, let hops, _) in fromMesh {
      batch.arrivals.append((message, .bitchat, hops))
    }
    for case .received(let message) in fromOverlay {
      batch.arrivals.append((message, .betanet, nil))
    }
    // One transaction for all receipts of a turn: one for each would hold up the loop for as many writes to the disk.
    batch.outcomes = unstored + fromMesh.compactMap(\.outcome) + fromOverlay.compactMap(\.outcome)
    unstored = []
    batch.changes = roster.changes
    roster.changes = []
    guard !batch.isEmpty else { return true }
    do {
      if let overQuota = try surroundings.store(batch) { roster.overQuota = overQuota }
      return true
    } catch {
      warn(.storing, "What came from peers could not be stored: \(error).")
      for case .received(let message, _, _) in fromMesh { mesh.takeBack(message) }
      for case .received(let message) in fromOverlay { overlay.takeBack(message) }
      // Kept for the next turn that stores anything. Nobody is told of a change of the roster, so that one which waits holds
      // nothing up.
      roster.putBack(batch.changes)
      unstored = batch.outcomes.suffix(Self.unstoredLimit)
      return batch.arrivals.isEmpty
    }
  }

  private func carryOut(_ action: Mesh.Action, isStored: Bool) {
    switch action {
    case .datagram(let bytes, let endpoint):
      // A lost datagram is sent again by its protocol; a receipt for what is not stored could not be taken back.
      if isStored { send(bytes, to: endpoint) }
    case .multicast(let bytes): multicast(bytes)
    case .received, .receipt, .undelivered: break
    case .member(let peer, let state):
      if state == .alive { overlay.alive?.insert(peer) } else { overlay.alive?.remove(peer) }
      tell(.member(peer, state: state.name))
    case .found(let peer, let endpoint, let name, let isKnown):
      tell(.found(peer, endpoint, name: name, isKnown: isKnown))
    // The session may have come to be at another address than the one that was asked for.
    case .connected(let peer, _): end(.success(peer)) { $0.peer == peer }
    case .refused(let endpoint, let refusal): end(.failure(refusal)) { $0.endpoint == endpoint }
    case .record(let record): overlay.record = record
    }
  }

  /// Lets those who wait for a handshake know how it ended, once the status shows it.
  func end(_ result: Result<PeerID, ConnectRefusal>, _ isMeant: (Meeting) -> Bool) {
    for meeting in meetings where isMeant(meeting) {
      ended.append { meeting.completion(result) }
    }
    meetings.removeAll(where: isMeant)
  }

  private func carryOut(_ action: Overlay.Action, isStored: Bool) {
    switch action {
    case .write(let link, let bytes):
      guard isStored else { return close(link) }
      connections[link]?.append(bytes)
      write(link)
    case .close(let link, _): connections[link] = nil
    case .dial(let endpoint, let peer): dial(endpoint, for: peer, invitation: nil)
    case .received, .receipt, .undelivered: break
    case .linkUp(let peer): tell(.link(peer, isUp: true, reason: ""))
    case .linkDown(let peer, let closure): tell(.link(peer, isUp: false, reason: closure.word))
    case .called(let token, let peer, let method, let body):
      tell(.called(token, peer, method: method, body))
    case .answered(let call, let result): tell(.answered(call, result))
    case .circuit(let event): tell(.circuit(event))
    }
  }

  private func tell(_ event: NetworkEvent) { surroundings.tell(event) }

  private func close(_ link: Int) {
    if connections.removeValue(forKey: link) != nil { overlay.closed(link, now: now) }
  }
}

extension Mesh.Action {
  /// What it says of a sent message, if anything.
  fileprivate var outcome: MessageOutcome? {
    switch self {
    case .receipt(let id, let hops, let roundTrip):
      MessageOutcome(
        delivered: id,
        .bitchat,
        hops: hops,
        roundTripMicroseconds: Int(roundTrip / 1000)
      )
    case .undelivered(let id, let reason):
      MessageOutcome(undelivered: id, .bitchat, reason: reason.rawValue)
    default: nil
    }
  }
}

extension Overlay.Action {
  /// What it says of a sent message, if anything.
  fileprivate var outcome: MessageOutcome? {
    switch self {
    case .receipt(let id, let roundTrip):
      MessageOutcome(
        delivered: id,
        .betanet,
        hops: nil,
        roundTripMicroseconds: Int(roundTrip / 1000)
      )
    case .undelivered(let id, let reason):
      MessageOutcome(undelivered: id, .betanet, reason: reason.sentence)
    default: nil
    }
  }
}

extension Overlay.Undelivered {
  /// Why, for the sender.
  fileprivate var sentence: String {
    switch self {
    case .invalid: "it cannot be sent over a circuit"
    case .unknownRecipient: "the recipient's record is not known"
    case .tooFewPeers(let needed, let known):
      "a circuit needs \(needed) peers, and \(known) are there"
    case .outboxFull: "too many messages wait already"
    case .gaveUp(let tries, let end):
      "\(tries) circuits were tried; the last one ended with \(end.word)"
    case .refused(let refusal): "the recipient refused it: \(refusal.word)"
    }
  }
}
