/// What other threads ask of the loop, by `PeerNetwork.post`.
extension PeerLoop {
  // MARK: Who is known

  /// Puts back a known peer's record.
  package func restore(_ record: PeerRecord) { roster.restore(record) }

  /// Makes a peer known by its key.
  package func know(_ id: PeerID) { roster.expect(id) }

  /// Lets an invitation be redeemed.
  package func invite(_ invitation: Roster.Invitation) { roster.invite(invitation) }

  /// Takes an invitation back, by its digest.
  package func withdraw(_ digest: [UInt8]) { roster.withdraw(digest) }

  /// Forgets a peer and ends all that connects it.
  package func ban(_ id: PeerID) {
    roster.ban(id)
    appointments.cancel(id)
    mesh.forget(id)
    overlay.drop(id, now: now)
  }

  /// Lets a banned peer be made known again.
  package func pardon(_ id: PeerID) { roster.pardon(id) }

  /// Takes messages of all known peers but these.
  package func refuseMessages(of peers: Set<PeerID>) { roster.overQuota = peers }

  // MARK: Meeting

  /// Meets a peer by datagrams.
  ///
  /// - Parameters:
  ///   - endpoint: Where it should be.
  ///   - peer: Who it should be.
  ///   - invitation: The secret of an invitation to redeem.
  ///   - completion: Called once, on the loop's thread.
  package func connect(
    to endpoint: Endpoint,
    expecting peer: PeerID,
    invitation: [UInt8]?,
    _ completion: @escaping @Sendable (Result<PeerID, ConnectRefusal>) -> Void
  ) {
    meetings.append(Meeting(peer: peer, endpoint: endpoint, completion: completion))
    mesh.connect(endpoint, expecting: peer, invitation: invitation, now: now)
  }

  /// Meets a peer by datagrams, now and again every few seconds until it is a member or was banned.
  ///
  /// - Parameters:
  ///   - peer: A peer that the operator has named.
  ///   - endpoint: Where it should be.
  ///   - invitation: The secret of an invitation to redeem.
  package func keepMeeting(_ peer: PeerID, at endpoint: Endpoint, invitation: [UInt8]? = nil) {
    appointments.make(with: peer, at: endpoint, invitation: invitation, now: now.monotonic)
  }

  /// Begins the handshakes that are due.
  func keepAppointments() {
    for due in appointments.due(now: now.monotonic) {
      if !roster.isKnown(due.peer) || mesh.member(due.peer)?.isPresent == true {
        appointments.cancel(due.peer)
      } else {
        mesh.connect(due.endpoint, expecting: due.peer, invitation: due.invitation, now: now)
      }
    }
  }

  /// Calls `completion` when the status shows all that was asked before.
  package func afterStatus(_ completion: @escaping () -> Void) { ended.append(completion) }

  /// Asks the local network who is there; `NetworkEvent.found` tells.
  package func discover() { mesh.discover(now: now) }

  // MARK: Messages and calls

  /// Sends a message, unless it is on its way already.
  ///
  /// - Parameters:
  ///   - message: Of this peer.
  ///   - way: `bitchat`, `betanet`, or anything else for the one that suits: the mesh while the recipient is a live member
  ///     of it, else the overlay where that has a link with it, else the mesh, which keeps the message for it.
  ///   - hops: Of a circuit; `nil` for the operator's number.
  package func send(_ message: PeerMessage, way: String, hops: Int?) {
    guard !mesh.isSending(message.id), !overlay.isSending(message.id),
      !held.contains(where: { $0.message.id == message.id })
    else { return }
    let usesOverlay: Bool
    switch PeerMessage.Transport(rawValue: way) {
    case .betanet: usesOverlay = message.recipient != nil
    case .bitchat: usesOverlay = false
    case nil:
      usesOverlay =
        message.recipient.map { mesh.member($0)?.state != .alive && overlay.linked.contains($0) }
        ?? false
    }
    if !usesOverlay {
      mesh.send(message, roster: roster, now: now)
    } else if isEarly(message, hops), held.count < settings.overlay.outboxMessages {
      held.append((message, hops))
    } else {
      overlay.send(message, hops: hops, roster: roster, now: now)
    }
  }

  /// Sends what has waited for peers to be met.
  func sendHeld() {
    guard !held.isEmpty else { return }
    let waiting = held
    held = []
    for (message, hops) in waiting {
      if isEarly(message, hops) {
        held.append((message, hops))
      } else {
        overlay.send(message, hops: hops, roster: roster, now: now)
      }
    }
  }

  /// Whether the network has begun just now, and has not met enough peers yet to say that there are too few.
  private func isEarly(_ message: PeerMessage, _ hops: Int?) -> Bool {
    guard let recipient = message.recipient, now.monotonic < meetsUntil else { return false }
    return overlay.lacksPeers(to: recipient, hops: hops, roster: roster)
  }

  /// Calls a peer; `NetworkEvent.answered` tells the end.
  ///
  /// - Parameters:
  ///   - number: The caller's, never used before.
  ///   - peer: A known peer.
  ///   - method: What is wanted.
  ///   - body: With what.
  ///   - timeout: Nanoseconds.
  package func call(
    _ number: UInt64,
    to peer: PeerID,
    method: String,
    body: CallContent,
    timeout: UInt64
  ) {
    overlay.call(
      number,
      to: peer,
      method: method,
      body: body,
      timeout: timeout,
      roster: roster,
      now: now
    )
  }

  /// Answers a call of another peer.
  package func answer(_ token: CallToken, _ answer: Result<CallContent, CallRefusal>) {
    overlay.answer(token, answer, now: now)
  }
}
