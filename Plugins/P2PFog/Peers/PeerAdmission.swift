import GatewayPlugin
import Peering
import PluginStorage
import StorageAnswers
import Synchronization

/// How others become known to this peer, and it to others.
extension PeerService {
  /// Invitations that wait at once.
  private static let openInvitations = 100

  /// Makes a peer known and meets it.
  ///
  /// - Parameters:
  ///   - order: An invitation to redeem, or a peer and its address.
  ///   - limit: For the handshake.
  /// - Returns: The peer.
  /// - Throws: `Failure` for the client.
  func add(_ order: PeerOrder?, within limit: Duration) throws -> PeerID {
    guard let order else { throw Failure.badRequest("The peer cannot be read.") }
    let now = UInt64(Clock.wall() / 1_000_000)
    switch order {
    case .invitation(let link):
      guard link.peer != identity.id else {
        throw Failure.conflict("This invitation is of this gateway itself; hand it to another.")
      }
      try answering { () throws(StorageError) in try store.pardon(link.peer) }
      return try connect(within: limit) { loop, done in
        loop.pardon(link.peer)
        loop.know(link.peer)
        loop.connect(to: link.endpoint, expecting: link.peer, invitation: link.secret, done)
      }
    case .peer(let id, let endpoint, let mayBeNode):
      guard id != identity.id else { throw Failure.conflict("This is the gateway itself.") }
      try answering { () throws(StorageError) in
        try store.add(id, endpoint: endpoint, mayBeNode: mayBeNode, now: now)
      }
      return try connect(within: limit) { loop, done in
        loop.pardon(id)
        loop.know(id)
        loop.keepMeeting(id, at: endpoint)
        loop.connect(to: endpoint, expecting: id, invitation: nil, done)
      }
    }
  }

  /// Makes an invitation.
  ///
  /// - Parameters:
  ///   - seconds: How long it is valid.
  ///   - mayBeNode: Whether the peer may register as a node.
  ///   - note: For the list.
  /// - Returns: The link, which is stored nowhere, and when it expires.
  /// - Throws: `Failure` for the client.
  func invite(
    seconds: Int,
    mayBeNode: Bool,
    note: String
  ) throws -> (link: InvitationLink, expiresAt: UInt64) {
    guard let endpoint = network.status.advertised else {
      throw Failure.unavailable(
        "The network has not begun yet; try again.",
        retryAfter: .seconds(1)
      )
    }
    let now = UInt64(Clock.wall() / 1_000_000)
    let open = try answering { () throws(StorageError) in try store.invitations() }
      .count { $0.redeemedBy == nil && $0.expiresAt > now }
    guard open < Self.openInvitations else {
      throw Failure.conflict(
        "\(open) invitations wait already; withdraw some, or wait until they expire."
      )
    }
    let secret = RandomBytes.make(PeerHandshake.invitationSize)
    let digest = KeyDerivation.sha256(secret)
    let expires = now + UInt64(seconds) * 1000
    let invitation = PeerStore.Invitation(
      digest: Hexadecimal.text(digest),
      createdAt: now,
      expiresAt: expires,
      mayBeNode: mayBeNode,
      note: note,
      redeemedBy: nil
    )
    try answering { () throws(StorageError) in try store.invite(invitation) }
    // Where no loop takes it, the next one reads it from the store.
    network.post { $0.invite(Roster.Invitation(digest: digest, expiresAt: expires)) }
    let link = InvitationLink(
      endpoint: endpoint,
      peer: identity.id,
      secret: secret,
      isForNode: mayBeNode
    )
    return (link, expires)
  }

  /// Looks for peers of the local network; on a worker, waits.
  func discover(seconds: Int, most: Int) throws -> Response {
    guard settings.network.group != nil else {
      throw Failure.conflict(
        "Discovery is off on this gateway: its operator has set no discovery_group."
      )
    }
    let began = Clock.monotonic()
    let search = discoveries.begin()
    network.post { $0.discover() }
    let limit = began + UInt64(seconds) * 1_000_000_000
    let pause = Gate()
    while Clock.monotonic() < limit, discoveries.count(search) < most {
      _ = pause.wait(atMost: .milliseconds(20))
    }
    let found = discoveries.end(search).prefix(most)
    return .data(
      [
        "discovery_id": .string(UUID4.make()),
        "peers_found": .array(
          found.map { one in
            [
              "peer_id": .string("\(one.peer)"), "transport": "bitchat", "name": .string(one.name),
              "endpoint": .string("\(one.endpoint)"), "known": .bool(one.isKnown),
            ]
          }
        ),
        "discovery_duration_ms": .number(Double(Clock.monotonic() - began) / 1_000_000),
        "total_peers": .integer(Int64(found.count)),
      ],
      message: "Discovery finished"
    )
  }

  /// Forgets a peer and ends all that connects it, before this returns.
  ///
  /// - Returns: Whether it was known.
  func ban(_ id: PeerID) throws -> Bool {
    let now = UInt64(Clock.wall() / 1_000_000)
    guard try answering({ () throws(StorageError) in try store.ban(id, now: now) }) else {
      return false
    }
    let gate = Gate()
    network.post { loop in
      loop.ban(id)
      loop.afterStatus { gate.open() }
    }
    _ = gate.wait(atMost: .seconds(2))
    return true
  }

  private func connect(
    within limit: Duration,
    _ begin:
      @escaping @Sendable (
        PeerLoop, @escaping @Sendable (Result<PeerID, ConnectRefusal>) -> Void
      ) -> Void
  ) throws -> PeerID {
    let gate = Gate()
    let outcome = OutcomeBox()
    let isTaken = network.post { loop in
      begin(loop) { result in
        outcome.value.withLock { $0 = result }
        gate.open()
      }
    }
    guard isTaken else {
      throw Failure.unavailable(
        "The network stops or does not keep up; try again.",
        retryAfter: .seconds(1)
      )
    }
    _ = gate.wait(atMost: limit)
    let result = outcome.value.withLock { $0 }
    if case .success(let peer)? = result { return peer }
    var refusal = ConnectRefusal.noAnswer
    if case .failure(let why)? = result { refusal = why }
    throw Failure(status: 502, code: "PEER_UNREACHABLE", message: Self.sentence(refusal))
  }

  private static func sentence(_ refusal: ConnectRefusal) -> String {
    switch refusal {
    case .noAnswer:
      "Nobody let this gateway in there: check the address, and that the invitation is neither used nor expired."
    case .otherPeer: "Another peer answers at that address; check the peer id."
    case .unknownPeer: "The peer that answers is not known here."
    case .busy: "This gateway is meeting as many peers as it may at once; try again."
    }
  }
}

private final class OutcomeBox: Sendable {
  let value = Mutex<Result<PeerID, ConnectRefusal>?>(nil)
}
