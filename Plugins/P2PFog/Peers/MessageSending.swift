import GatewayPlugin
import Peering
import PluginStorage
import StorageAnswers

/// Messages on their way out.
extension PeerService {
  /// Messages whose receipt was still awaited are sent again after a restart while they are younger, in milliseconds.
  ///
  /// Below the five minutes by which a message's time may differ for the mesh to take it.
  private static let resendAge: UInt64 = 240_000

  /// Sends a message of a user.
  ///
  /// It is stored before it is sent. On a worker; waits for the receipt where the request says so.
  ///
  /// - Parameters:
  ///   - request: As it was read.
  ///   - user: Who sends it.
  /// - Returns: The message as it is kept.
  /// - Throws: `Failure` for the client.
  func send(_ request: MessageRequest, from user: String) throws -> MessageStore.Entry {
    let now = UInt64(Clock.wall() / 1_000_000)
    try answering { () throws(StorageError) in
      guard try hasRoom() else { throw .full }
    }
    if case .local(let recipient) = request.recipient {
      return try deliverHere(request, from: user, to: recipient, now)
    }
    guard user.utf8.count <= PeerMessage.userLimit else {
      throw Failure.badRequest(
        "Peers take names of users of at most \(PeerMessage.userLimit) bytes, and yours has \(user.utf8.count)."
      )
    }
    guard case .peer(let peer, let recipient) = request.recipient else {
      return try submit(request, from: user, to: nil, recipient: "", now)
    }
    if peer == identity.id { return try deliverHere(request, from: user, to: recipient, now) }
    // Not the status: a plugin that has just taken over for another has none yet.
    guard try answering({ () throws(StorageError) in try store.isMet(peer) }) else {
      throw Failure.notFound(
        "No peer \(peer.short)… is known here; GET /v1/p2p/peers lists those that are."
      )
    }
    return try submit(request, from: user, to: peer, recipient: recipient, now)
  }

  /// Sends again what had no receipt when the gateway stopped, and what the plugin before this one took too late to send.
  ///
  /// - Parameter loop: Passes over what it is sending.
  /// - Throws: `StorageError`.
  func resendUnsettled(on loop: PeerLoop) throws(StorageError) {
    for entry in try messages.unsettled() {
      guard let message = entry.message(from: identity.id) else { continue }
      loop.send(message, way: entry.transport, hops: entry.hops)
    }
  }

  /// Gives up what is too old to be sent again.
  func abandonOld() throws(StorageError) {
    try messages.abandonSent(
      before: UInt64(Clock.wall() / 1_000_000) - Self.resendAge,
      reason: "the gateway was restarted before a receipt came"
    )
  }

  private func submit(
    _ request: MessageRequest,
    from user: String,
    to peer: PeerID?,
    recipient: String,
    _ now: UInt64
  ) throws -> MessageStore.Entry {
    let message = message(request, from: user, to: peer, recipient: recipient, now)
    var entry = MessageStore.Entry(sent: message, way: request.way.rawValue, now: now)
    entry.hops = request.hops
    if peer == nil {
      // Nobody can confirm for everyone, and the mesh alone floods.
      entry.status = "broadcast"
      entry.transport = MessageRequest.Way.bitchat.rawValue
    }
    entry.number = try answering { [entry] () throws(StorageError) in try messages.send(entry) }
    guard request.waitSeconds > 0, peer != nil else {
      _ = try post(message, request)
      return entry
    }
    let limit = Duration.seconds(request.waitSeconds)
    let end = try receipts.wait(for: entry.id, atMost: limit) { try post(message, request) }
    if let end { return end }
    // The receipt may have come to the plugin that has taken over meanwhile.
    let sent = try answering { () throws(StorageError) in
      try messages.find(entry.id, user: user).first { $0.direction == "out" }
    }
    return sent ?? entry
  }

  /// Hands a message that is stored to the network's loop.
  ///
  /// - Returns: False when the loop has ended: the plugin that takes over, or the gateway's next start, sends what is stored.
  /// - Throws: 503 when it is not taken, and not stored any more: the loop does not keep up, or nobody would send it later.
  private func post(_ message: PeerMessage, _ request: MessageRequest) throws -> Bool {
    let isTaken = network.post {
      $0.send(message, way: request.way.rawValue, hops: request.hops)
    }
    if isTaken { return true }
    if network.hasEnded, message.recipient != nil { return false }
    _ = try messages.delete(Hexadecimal.text(message.id), user: message.senderUser)
    throw Failure.unavailable(
      "The network stops or does not keep up; try again.",
      retryAfter: .seconds(1)
    )
  }

  /// A message among this gateway's own users needs no network.
  private func deliverHere(
    _ request: MessageRequest,
    from user: String,
    to recipient: String,
    _ now: UInt64
  ) throws -> MessageStore.Entry {
    let message = message(request, from: user, to: identity.id, recipient: recipient, now)
    var sent = MessageStore.Entry(sent: message, way: "local", now: now)
    sent.status = "delivered"
    let (entry, received) = try answering { [sent] () throws(StorageError) in
      try messages.exchange(sent, message, now: now)
    }
    publish(received, event: "message")
    return entry
  }

  private func message(
    _ request: MessageRequest,
    from user: String,
    to peer: PeerID?,
    recipient: String,
    _ now: UInt64
  ) -> PeerMessage {
    PeerMessage(
      id: RandomBytes.make(PeerMessage.idSize),
      sender: identity.id,
      recipient: peer,
      user: recipient,
      senderUser: user,
      kind: request.kind,
      priority: UInt8(request.priority),
      sentAt: now,
      payload: request.payload
    )
  }
}
