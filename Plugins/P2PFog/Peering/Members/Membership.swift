/// Who is in the network: SWIM (Das, Gupta and Motivala 2002) with Lifeguard's suspicion and memberlist's gossip rounds.
///
/// Every interval one member is probed; who does not answer is probed through others, then suspected, then dead. News rides
/// on probes and on rounds of gossip. The whole state is compared in 64 digests, so that members that agree spend 260
/// bytes on it. Dead members are tried at a slow rate, and all at once when one of them returns, which is how halves of a
/// network heal. No socket, no clock; belongs to one thread.
package struct Membership: Sendable {
  /// What the owner has to do.
  package enum Output: Sendable, Equatable {
    /// To be sent when there is a session with the peer, and dropped otherwise.
    case frame([UInt8], to: PeerID)
    /// A session with the peer is wanted; an old one may be dead. `once` when the first message is not worth repeating.
    case reach(PeerID, once: Bool)
    /// What is believed of a member has changed.
    case state(PeerID, MemberState)
    /// This peer's own record was renewed.
    case record(PeerRecord)
  }

  let settings: MemberSettings
  let identity: Identity

  /// This peer's newest record.
  package internal(set) var record: PeerRecord
  /// What has to be done, oldest first; whoever does it empties it.
  package var outputs: [Output] = []
  /// Members that are probed in a network of more than `probeAllLimit`.
  package var watched: Set<PeerID> = []
  /// Frames that were not taken, by reason.
  package internal(set) var drops: [DropReason: UInt64] = [:]

  var members: [PeerID: Member] = [:]
  var counts: [MemberState: Int] = [:]
  var suspects: Set<PeerID> = []
  // Peers with a session, in order.
  var open: [PeerID] = []
  var random: SeededRandom
  var news = Dissemination()
  var refutations = TokenBucket(rate: 2, burst: 10)
  var isLeaving = false

  var probes: [UInt32: Probe] = [:]
  var relays: [UInt32: Relay] = [:]
  var round: [PeerID] = []
  var probeAt: UInt64 = 0
  var gossipAt: UInt64 = 0
  var syncAt: UInt64 = 0
  var retryAt: UInt64 = 0
  var burstAt: UInt64 = 0
  /// Rises whenever the choice of neighbours could come out differently.
  var changes: UInt64 = 0
  /// When the last member died, or became known without being heard of.
  var diedAt: UInt64 = 0

  /// A membership that knows nobody yet.
  ///
  /// - Parameters:
  ///   - identity: Of this peer, to sign its records.
  ///   - record: Its current record.
  ///   - settings: Rates and times.
  ///   - random: For choices.
  package init(
    identity: Identity,
    record: PeerRecord,
    settings: MemberSettings,
    random: SeededRandom
  ) {
    self.identity = identity
    self.record = record
    self.settings = settings
    self.random = random
  }

  /// The members, in order of their identities.
  package var all: [Member] { members.values.sorted { $0.id < $1.id } }

  /// How many members are in a state.
  package func count(_ state: MemberState) -> Int { counts[state, default: 0] }

  /// What is known of a peer.
  package func member(_ id: PeerID) -> Member? { members[id] }

  /// Whether a peer takes part, as far as is known.
  package func isPresent(_ id: PeerID) -> Bool { members[id]?.isPresent == true }

  /// Forgets a peer, as when it was banned.
  package mutating func forget(_ id: PeerID) {
    guard let member = members.removeValue(forKey: id) else { return }
    counts[member.state, default: 1] -= 1
    suspects.remove(id)
    news.remove(id)
  }

  /// Takes the roster's peers as members that nobody has heard of yet.
  package mutating func adopt(_ roster: Roster, now: UInt64) {
    for record in roster.all where members[record.id] == nil {
      insert(record, isHeard: false, now: now)
    }
  }

  /// A session with a peer was opened, or its keys were replaced.
  package mutating func opened(_ peer: PeerID, isNew: Bool, roster: Roster, now: UInt64) {
    let index = place(of: peer)
    if index == open.count || open[index] != peer {
      open.insert(peer, at: index)
      changes += 1
    }
    guard let record = roster.record(of: peer) else { return }
    let wasAbsent = members[peer]?.isPresent != true
    if members[peer] == nil { insert(record, isHeard: false, now: now) }
    guard var member = members[peer] else { return }
    member.skipUntil = 0
    member.skipTime = 0
    members[peer] = member
    if !member.isHeard || record.sequence > member.sequence {
      becomeAlive(record, isNews: true, now: now)
    } else if member.state != .alive {
      // It must say itself that it is alive, with a new record; this tells it what is believed.
      ping(peer, now: now)
    }
    for (sequence, probe) in probes where probe.target == peer && probe.stage == .opening {
      probes[sequence] = nil
      ping(peer, now: now)
    }
    if isNew || wasAbsent, identity.id < peer || wasAbsent { sendDigest(to: peer) }
  }

  /// There is no session with a peer any more.
  package mutating func closed(_ peer: PeerID) {
    let index = place(of: peer)
    if index < open.count, open[index] == peer {
      open.remove(at: index)
      changes += 1
    }
  }

  /// Takes a frame of a peer.
  ///
  /// - Parameters:
  ///   - frame: With its kind.
  ///   - peer: Proven by the session.
  ///   - roster: Learns records, and decides which of them make a member.
  ///   - now: The time.
  package mutating func receive(
    _ frame: [UInt8],
    from peer: PeerID,
    roster: inout Roster,
    now: Moment
  ) {
    do throws(MalformedPacket) {
      var reader = ByteReader(frame)
      switch FrameKind(rawValue: try reader.number()) {
      case .ping: try receivePing(&reader, from: peer, roster: &roster, now: now)
      case .ack: try receiveAck(&reader, from: peer, roster: &roster, now: now)
      case .pingRequest: try receivePingRequest(&reader, from: peer, roster: &roster, now: now)
      case .gossip: try receiveUpdates(&reader, isSync: false, roster: &roster, now: now)
      case .digest: try receiveDigest(&reader, from: peer, roster: roster)
      case .entries: try receiveEntries(&reader, from: peer, roster: &roster, now: now)
      default: drops[.malformed, default: 0] += 1
      }
    } catch {
      drops[.malformed, default: 0] += 1
    }
  }

  /// When `advance` has something to do, in monotonic nanoseconds.
  package var deadline: UInt64? {
    if isLeaving { return nil }
    var next = min(probeAt, syncAt)
    if !news.isEmpty, !open.isEmpty { next = min(next, gossipAt) }
    if count(.dead) > 0 { next = min(next, retryAt) }
    for probe in probes.values { next = min(next, probe.deadline) }
    for id in suspects { next = min(next, members[id]?.suspicion?.deadline ?? .max) }
    return next
  }

  /// Does what is due.
  package mutating func advance(roster: inout Roster, now: Moment) {
    if isLeaving { return }
    advanceProbes(now: now)
    for id in suspects.sorted() {
      guard let member = members[id], let due = member.suspicion?.deadline, due <= now.monotonic
      else { continue }
      become(.dead, id, now: now.monotonic)
      news.add(.gone(.dead, id, member.sequence))
    }
    if now.monotonic >= gossipAt { gossip(now: now.monotonic) }
    if now.monotonic >= syncAt { sync(now: now.monotonic) }
    if count(.dead) > 0, now.monotonic >= retryAt { retry(now: now.monotonic) }
  }

  /// Tells everybody there is a session with that this peer goes; nothing is done afterwards.
  package mutating func leave() {
    isLeaving = true
    for peer in open {
      var writer = FrameKind.gossip.writer()
      writer.number(UInt8(1))
      MemberUpdate.gone(.left, identity.id, record.sequence).write(to: &writer)
      outputs.append(.frame(writer.bytes, to: peer))
    }
  }

  /// Up to `count` random peers that there is a session with and that take part.
  mutating func randomOpen(_ count: Int, without excluded: PeerID? = nil) -> [PeerID] {
    var chosen: [PeerID] = []
    guard !open.isEmpty else { return [] }
    // A few draws instead of a shuffle of all: sessions can be thousands.
    for _ in 0..<count * 4 where chosen.count < min(count, open.count) {
      let peer = open[Int.random(in: open.indices, using: &random)]
      if peer != excluded, !chosen.contains(peer), isPresent(peer) { chosen.append(peer) }
    }
    return chosen
  }

  func place(of peer: PeerID) -> Int {
    var low = 0
    var high = open.count
    while low < high {
      let middle = (low + high) / 2
      if open[middle] < peer { low = middle + 1 } else { high = middle }
    }
    return low
  }
}

extension Membership {
  /// How many members there are in all states.
  var size: Int { members.count }

  /// Members that may be neighbours: they take part, and nothing says that they cannot be reached from here.
  func candidates(now: UInt64) -> [PeerID] {
    members.values.filter { $0.isPresent && ($0.skipUntil <= now || isOpen($0.id)) }.map(\.id)
      .sorted()
  }
}
