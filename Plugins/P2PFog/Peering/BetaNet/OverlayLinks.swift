/// What links tell.
extension Overlay {
  mutating func take(_ event: Link.Event, on link: Int, _ roster: Roster, _ now: Moment) {
    // What came before the event has ended the link; the end of a call is told all the same, since nothing else tells it.
    if links[link] == nil, !event.endsCall { return }
    switch event {
    case .established(let record): establish(link, record.id, now)
    case .cell(let cell): take(cell: cell, on: link, roster, now)
    case .padding: break
    case .called(let stream, let method, let body):
      guard let peer = links[link]?.remote?.id else { return }
      let token = CallToken(link: link, stream: stream)
      actions.append(.called(token, peer, method: method, body))
    case .answered(let call, let result): actions.append(.answered(call: call, result))
    }
  }

  private mutating func establish(_ new: Int, _ peer: PeerID, _ now: Moment) {
    counters.establishedLinks += 1
    dialing[peer] = nil
    if let old = peers[peer] {
      guard survivor(old, new, peer, now) == new else {
        end(new, .duplicate, now)
        return
      }
      // First, so that the peer is never without a link in between.
      peers[peer] = new
      end(old, .duplicate, now)
    } else {
      peers[peer] = new
      actions.append(.linkUp(peer))
    }
    for call in waitingCalls.take(peer) {
      begin(call.id, peer, call.method, call.body, deadline: call.deadline, now)
    }
    continueCircuits(over: peer, now)
  }

  private func survivor(_ old: Int, _ new: Int, _ peer: PeerID, _ now: Moment) -> Int {
    guard let first = links[old], let second = links[new],
      first.isInitiator != second.isInitiator,
      now.monotonic - first.establishedAt < settings.crossingLimit
    else { return new }
    let keepsOwn = identity.id < peer
    return first.isInitiator == keepsOwn ? old : new
  }

  // MARK: Calls

  /// Asks a peer.
  ///
  /// - Parameters:
  ///   - call: The caller's number of it, for `Action.answered`, which follows exactly once.
  ///   - peer: A known peer; a link is made where there is none.
  ///   - method: `[a-z][a-z0-9_.]{0,63}`.
  ///   - body: Within the limits of `CallContent`.
  ///   - timeout: Nanoseconds for all of it.
  ///   - roster: Who is known.
  ///   - now: The moment.
  package mutating func call(
    _ call: UInt64,
    to peer: PeerID,
    method: String,
    body: CallContent,
    timeout: UInt64,
    roster: Roster,
    now: Moment
  ) {
    let deadline = now.monotonic + timeout
    if peers[peer] != nil {
      begin(call, peer, method, body, deadline: deadline, now)
      settle(now)
      return
    }
    guard connect(to: peer, roster: roster, now: now) else {
      actions.append(.answered(call: call, .lost))
      return
    }
    let waiting = WaitingCalls.Call(id: call, method: method, body: body, deadline: deadline)
    guard waitingCalls.append(waiting, for: peer, settings) else {
      let message = "Too many calls wait for links; try later."
      let refusal = CallRefusal(code: "BUSY", message: message)
      actions.append(.answered(call: call, .refused(refusal)))
      return
    }
    wake(at: deadline)
  }

  /// Answers a peer's call.
  ///
  /// - Parameters:
  ///   - token: Of `Action.called`.
  ///   - answer: What is said; a body beyond the limits becomes a refusal.
  ///   - now: The moment.
  /// - Returns: Whether the caller still waited.
  @discardableResult
  package mutating func answer(
    _ token: CallToken,
    _ answer: Result<CallContent, CallRefusal>,
    now: Moment
  ) -> Bool {
    let didWait = links[token.link]?.streams.answer(token.stream, answer, now: now.monotonic)
    touch(token.link)
    settle(now)
    return didWait ?? false
  }

  private mutating func begin(
    _ call: UInt64,
    _ peer: PeerID,
    _ method: String,
    _ body: CallContent,
    deadline: UInt64,
    _ now: Moment
  ) {
    guard let link = peers[peer] else { return }
    do throws(CallRefusal) {
      try links[link]?.streams.open(call, method, body, deadline: deadline)
      touch(link)
    } catch {
      actions.append(.answered(call: call, .refused(error)))
    }
  }
}
