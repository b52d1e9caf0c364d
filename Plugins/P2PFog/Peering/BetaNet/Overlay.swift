/// The private overlay of one peer, whole: its links, the calls on them, and its circuits.
///
/// Belongs to the thread of the network's loop, which owns the connections: it tells what happens to them by a number that
/// it chooses for each and never uses again, calls `advance` at `deadline`, and after every call takes `actions` in order
/// and empties it. Of two links with one peer one stays, by the same rule on both sides: when they crossed
/// (`OverlaySettings.crossingLimit`) the one that the smaller identity has dialled, and of two that one side has dialled,
/// or long after one another, the new one.
package struct Overlay: Sendable {
  let identity: Identity
  let settings: OverlaySettings
  /// This peer's record, as new handshakes show it.
  package var record: PeerRecord
  /// What the loop has to do, oldest first; the loop empties it.
  package var actions: [Action] = []
  /// The peers that answer, as membership knows; paths go through no others.
  ///
  /// `nil`, as in the beginning, for all that are known.
  package var alive: Set<PeerID>?
  /// What was done.
  package internal(set) var counters = OverlayCounters()

  var links: [Int: Link] = [:]
  // The link of each peer that has one.
  var peers: [PeerID: Int] = [:]
  // Peers that the loop was asked to connect to, and until when it may.
  var dialing: [PeerID: UInt64] = [:]
  var waitingCalls = WaitingCalls()
  var circuits = CircuitTable()
  var outbox = Outbox()
  var seen: SeenMessages
  // What each sender may still send; senders are known, so there are no more than the roster holds.
  var senders: [PeerID: Allowance] = [:]
  // Hops that have failed, and until when they are passed over.
  var failed: [PeerID: UInt64] = [:]
  // Of each link, as of when it was last touched.
  private var linkDeadlines: [Int: UInt64] = [:]
  // Nothing but links has something to do before.
  private var due = UInt64.max
  // Links that may have something to write.
  private var touched: Set<Int> = []

  /// An overlay without links.
  ///
  /// - Parameters:
  ///   - identity: Of this peer.
  ///   - record: Its current record.
  ///   - settings: Limits and wishes.
  package init(identity: Identity, record: PeerRecord, settings: OverlaySettings) {
    self.identity = identity
    self.record = record
    self.settings = settings
    seen = SeenMessages(limit: settings.seenLimit, window: settings.seenWindow)
  }

  /// The peers that have a link, in order of their identities.
  package var linked: [PeerID] { peers.keys.sorted() }

  /// The established links, in order of their numbers.
  package var states: [LinkState] {
    links.sorted { $0.key < $1.key }.compactMap { number, link in
      guard let remote = link.remote, peers[remote.id] == number else { return nil }
      return LinkState(
        link: number,
        peer: remote.id,
        isInitiator: link.isInitiator,
        roundTrip: link.roundTrip,
        counts: link.counts,
        establishedAt: link.establishedAt
      )
    }
  }

  /// Bytes and cells of all links so far.
  package var traffic: LinkCounts {
    links.values.reduce(into: counters.traffic) { $0 += $1.counts }
  }

  /// Own circuits that can be used.
  package var activeCircuits: Int { circuits.origins.values.count(where: \.isOpen) }
  /// Circuits of others that pass on to a next hop.
  package var relayedCircuits: Int { circuits.transits.values.count { $0.next != nil } }
  /// Circuits of others that end here.
  package var endingCircuits: Int { circuits.transits.count - relayedCircuits }
  /// Messages without a receipt.
  package var waitingMessages: Int { outbox.count }

  /// When `advance` has to be called at the latest, in monotonic nanoseconds.
  ///
  /// Perhaps earlier than there is something to do: what it counts is when things were due as they began, and `advance`
  /// looks again. So it costs nothing to ask.
  package var deadline: UInt64? {
    let next = linkDeadlines.values.reduce(due, min)
    return next == .max ? nil : next
  }

  // MARK: Connections

  /// A connection was made.
  ///
  /// - Parameters:
  ///   - link: Its number.
  ///   - isInitiator: Whether this side has dialled.
  ///   - expecting: Whom it has dialled; `nil` where that is not known, and for the other's.
  ///   - invitation: The secret of an invitation to redeem; whom it leads to is made known to the roster before.
  ///   - now: The moment.
  package mutating func opened(
    _ link: Int,
    isInitiator: Bool,
    expecting: PeerID? = nil,
    invitation: [UInt8]? = nil,
    now: Moment
  ) {
    precondition(links[link] == nil, "link numbers are used once")
    let handshakes = links.values.count { $0.phase != .open && !$0.isInitiator }
    guard links.count < settings.linkLimit, isInitiator || handshakes < settings.handshakeLimit
    else {
      refuse(link, .flood("is a connection too many"))
      return
    }
    links[link] = Link(
      isInitiator: isInitiator,
      identity: identity,
      record: record,
      expecting: expecting,
      networkSecret: settings.networkSecret,
      invitation: invitation,
      settings: settings.link,
      cover: settings.cover > 0 ? 1_000_000_000 / UInt64(min(settings.cover, 1000)) : nil,
      now: now
    )
    touch(link)
    settle(now)
  }

  /// The connection that `Action.dial` has asked for cannot be made.
  package mutating func dialFailed(_ peer: PeerID, now: Moment) {
    guard dialing.removeValue(forKey: peer) != nil else { return }
    giveUp(on: peer, now)
    settle(now)
  }

  /// Bytes came.
  ///
  /// - Parameters:
  ///   - bytes: As they came, in any pieces.
  ///   - link: Of which connection.
  ///   - roster: Who is let in; a peer may become known here.
  ///   - now: The moment.
  package mutating func receive(
    _ bytes: [UInt8],
    on link: Int,
    roster: inout Roster,
    now: Moment
  ) {
    guard let (events, closure) = links[link]?.receive(bytes, roster: &roster, now: now) else {
      return
    }
    touch(link)
    for event in events { take(event, on: link, roster, now) }
    if let closure, links[link] != nil { end(link, closure, now) }
    settle(now)
  }

  /// Bytes that were given for a connection have left for it.
  package mutating func wrote(_ count: Int, on link: Int, now: Moment) {
    links[link]?.wrote(count, now: now)
    touch(link)
    settle(now)
  }

  /// The connection has ended.
  package mutating func closed(_ link: Int, now: Moment) {
    guard links[link] != nil else { return }
    end(link, .lost, now, tellsLoop: false)
    settle(now)
  }

  /// Ends the link with a peer, which was banned for example.
  package mutating func drop(_ peer: PeerID, now: Moment) {
    for (number, link) in links where link.remote?.id == peer { end(number, .stopped, now) }
    settle(now)
  }

  /// Asks for a link with a known peer, unless there is one already or on its way.
  ///
  /// - Returns: Whether there is hope: false for a peer whose record is not known.
  @discardableResult
  package mutating func connect(to peer: PeerID, roster: Roster, now: Moment) -> Bool {
    if peers[peer] != nil || dialing[peer] != nil { return true }
    guard let record = roster.record(of: peer) else { return false }
    dialing[peer] = now.monotonic + settings.dialLimit
    wake(at: now.monotonic + settings.dialLimit)
    actions.append(.dial(record.endpoint, peer))
    return true
  }

  /// Does what is due.
  ///
  /// - Parameters:
  ///   - roster: Who is known.
  ///   - now: The moment.
  package mutating func advance(roster: Roster, now: Moment) {
    for number in links.keys.sorted() {
      guard let deadline = linkDeadlines[number], deadline <= now.monotonic else { continue }
      touch(number)
      do throws(LinkClosure) {
        for event in try links[number]?.advance(now: now) ?? [] {
          take(event, on: number, roster, now)
        }
        if links[number]?.isExhausted == true { throw .exhausted }
      } catch {
        end(number, error, now)
      }
    }
    if due <= now.monotonic { expire(roster, now) }
    settle(now)
  }

  // MARK: Inside

  private mutating func expire(_ roster: Roster, _ now: Moment) {
    for (peer, deadline) in dialing where deadline <= now.monotonic {
      dialing[peer] = nil
      giveUp(on: peer, now)
    }
    for call in waitingCalls.expire(now: now.monotonic) {
      actions.append(.answered(call: call, .timedOut))
    }
    due = .max
    expireCircuits(roster, now)
    for time in [waitingCalls.deadline, outbox.deadline, circuitDeadline, dialing.values.min()] {
      if let time { wake(at: time) }
    }
  }

  /// Notes when something will be due.
  mutating func wake(at time: UInt64) { due = min(due, time) }

  /// Notes that a link may have something to write.
  mutating func touch(_ link: Int) { touched.insert(link) }

  /// Hands what the touched links have to the loop.
  mutating func settle(_ now: Moment) {
    for link in touched.sorted() {
      links[link]?.flush(now: now.monotonic)
      if let bytes = links[link]?.takeOutput(), !bytes.isEmpty {
        actions.append(.write(link: link, bytes))
      }
      linkDeadlines[link] = links[link]?.deadline
    }
    touched = []
  }

  /// Ends a link and all that depends on it.
  mutating func end(_ number: Int, _ closure: LinkClosure, _ now: Moment, tellsLoop: Bool = true) {
    guard var link = links.removeValue(forKey: number) else { return }
    linkDeadlines[number] = nil
    counters.traffic += link.counts
    let wasOpen = link.phase == .open
    if !wasOpen { counters.refusedHandshakes[closure.word, default: 0] += 1 }
    if tellsLoop { actions.append(.close(link: number, closure)) }
    for case .answered(let call, let result) in link.end() {
      actions.append(.answered(call: call, result))
    }
    endCircuits(on: number, now)
    if let peer = link.remote?.id ?? link.expecting, !wasOpen { forgetDial(peer, now) }
    guard wasOpen, let peer = link.remote?.id, peers[peer] == number else { return }
    peers[peer] = nil
    actions.append(.linkDown(peer, closure))
  }

  private mutating func refuse(_ link: Int, _ closure: LinkClosure) {
    counters.refusedHandshakes[closure.word, default: 0] += 1
    actions.append(.close(link: link, closure))
  }

  private mutating func forgetDial(_ peer: PeerID, _ now: Moment) {
    if dialing.removeValue(forKey: peer) != nil { giveUp(on: peer, now) }
  }

  /// What waited for a link with the peer has none.
  private mutating func giveUp(on peer: PeerID, _ now: Moment) {
    for call in waitingCalls.take(peer) { actions.append(.answered(call: call.id, .lost)) }
    failCircuits(waitingFor: peer, now)
  }
}
