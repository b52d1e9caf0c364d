/// Messages over circuits.
extension Overlay {
  /// Sends a message to one peer over a circuit.
  ///
  /// It goes in cells over a circuit to the recipient, which confirms it; when the circuit breaks first, over another one, until
  /// `OverlaySettings.tries`. Exactly one `receipt` or `undelivered` follows.
  ///
  /// - Parameters:
  ///   - message: Its sender is this peer; its identifier is fresh.
  ///   - hops: 2 to 6; `nil` for as many as the settings say.
  ///   - roster: Who is known.
  ///   - now: The moment.
  package mutating func send(
    _ message: PeerMessage,
    hops: Int? = nil,
    roster: Roster,
    now: Moment
  ) {
    let hops = hops ?? settings.hops
    guard let recipient = message.recipient, recipient != identity.id,
      message.sender == identity.id, isWithinLimits(message),
      OverlaySettings.hopRange.contains(hops)
    else {
      undelivered(message.id, .invalid)
      return
    }
    let contents = MessageEnvelope.contents(MessageEnvelope.seal(message, identity))
    let hasRoom = outbox.insert(
      message,
      for: recipient,
      hops: hops,
      contents,
      settings,
      now: now.monotonic
    )
    guard hasRoom else {
      undelivered(message.id, .outboxFull)
      return
    }
    dispatch(roster, now)
    settle(now)
  }

  /// Whether an own message waits for its receipt.
  package func isSending(_ id: [UInt8]) -> Bool { outbox.entries[id] != nil }

  private func isWithinLimits(_ message: PeerMessage) -> Bool {
    message.id.count == PeerMessage.idSize && message.payload.count <= PeerMessage.payloadLimit
      && message.user.utf8.count <= PeerMessage.userLimit
      && message.senderUser.utf8.count <= PeerMessage.userLimit
      && PeerMessage.isKind(message.kind) && (1...10).contains(message.priority)
  }

  /// Gives waiting messages circuits, and circuits their messages.
  mutating func dispatch(_ roster: Roster, _ now: Moment) {
    for id in outbox.turns {
      guard let entry = outbox.entries[id] else { continue }
      if case .waiting(let from) = entry.state, from <= now.monotonic {
        assign(entry, roster, now)
      }
      if case .assigned(let circuit) = outbox.entries[id]?.state { transmit(id, circuit, now) }
    }
  }

  private mutating func assign(_ entry: Outbox.Entry, _ roster: Roster, _ now: Moment) {
    let id = entry.message.id
    if let serial = usable(entry.recipient, entry.hops, now) {
      outbox.set(.assigned(circuit: serial), id)
      return
    }
    switch build(entry.recipient, entry.hops, roster, now) {
    case .success(let serial):
      // It may have failed already.
      if circuits.origins[serial] != nil {
        outbox.set(.assigned(circuit: serial), id)
      } else {
        retry(id, .limit, now)
      }
    case .failure(.later):
      outbox.set(.waiting(from: now.monotonic + settings.retryAfter), id)
      wake(at: now.monotonic + settings.retryAfter)
    case .failure(.unknownRecipient): giveUp(id, .unknownRecipient)
    case .failure(.tooFewPeers(let needed, let known)):
      giveUp(id, .tooFewPeers(needed: needed, known: known))
    }
  }

  private mutating func transmit(_ id: [UInt8], _ serial: Int, _ now: Moment) {
    guard let entry = outbox.entries[id], let origin = circuits.origins[serial], origin.isOpen,
      origin.hasWindow(for: entry.contents.count)
    else { return }
    circuits.origins[serial]?.unconfirmed[id] = entry.contents.count
    circuits.origins[serial]?.messages += 1
    circuits.origins[serial]?.usedAt = now.monotonic
    let deadline = now.monotonic + settings.receiptLimit
    outbox.set(.sent(circuit: serial, at: now.monotonic, deadline: deadline), id)
    wake(at: deadline)
    guard entry.contents.allSatisfy({ say($0, origin: serial) }) else {
      fail(serial, .limit, atHop: nil, now)
      return
    }
  }

  /// Takes a receipt.
  mutating func confirm(_ id: [UInt8], _ serial: Int, _ roster: Roster, _ now: Moment) {
    guard circuits.origins[serial]?.unconfirmed.removeValue(forKey: id) != nil,
      let entry = outbox.remove(id), case .sent(_, let at, _) = entry.state
    else {
      fail(serial, .malformed, atHop: nil, now)
      return
    }
    counters.confirmedMessages += 1
    rest(serial)
    actions.append(.receipt(id: id, roundTrip: now.monotonic - at))
    dispatch(roster, now)
  }

  /// Notes that a circuit may have no messages any more, so that its own time counts again.
  private mutating func rest(_ serial: Int) {
    guard let origin = circuits.origins[serial], origin.unconfirmed.isEmpty else { return }
    wake(at: end(of: origin, isBusy: false))
  }

  /// Takes a refusal.
  mutating func refuse(_ data: [UInt8], _ serial: Int, _ roster: Roster, _ now: Moment) {
    let id = Array(data.prefix(PeerMessage.idSize))
    guard data.count == PeerMessage.idSize + 1,
      let refusal = data.last.flatMap({ MessageRefusal(rawValue: $0) }),
      circuits.origins[serial]?.unconfirmed.removeValue(forKey: id) != nil
    else {
      fail(serial, .malformed, atHop: nil, now)
      return
    }
    // Too many now may be few enough later.
    if refusal == .flood, let from = outbox.retry(id, settings, now: now.monotonic) {
      counters.retriedMessages += 1
      wake(at: from)
    } else {
      giveUp(id, .refused(refusal))
    }
    rest(serial)
    dispatch(roster, now)
  }

  /// Puts a message back whose circuit has failed, or gives it up.
  mutating func retry(_ id: [UInt8], _ why: CircuitEnd, _ now: Moment) {
    if let from = outbox.retry(id, settings, now: now.monotonic) {
      counters.retriedMessages += 1
      wake(at: from)
    } else if let tries = outbox.entries[id]?.tries {
      giveUp(id, .gaveUp(tries: tries, why))
    }
  }

  mutating func giveUp(_ id: [UInt8], _ why: Undelivered) {
    if outbox.remove(id) != nil { undelivered(id, why) }
  }

  /// Takes back that a message was received: it could not be stored, and its sender must send it again.
  ///
  /// What `actions` held together with it must not be written.
  package mutating func takeBack(_ message: PeerMessage) {
    seen.remove(message.id, from: message.sender)
    counters.receivedMessages -= 1
  }

  private mutating func undelivered(_ id: [UInt8], _ why: Undelivered) {
    counters.undeliveredMessages += 1
    actions.append(.undelivered(id: id, why))
  }

  // MARK: Arriving

  /// Takes a message that has arrived whole, if it has.
  mutating func deliver(_ serial: Int, _ roster: Roster, _ now: Moment) throws(MalformedPacket) {
    guard let envelope = circuits.transits[serial]?.reader?.envelope else { return }
    circuits.transits[serial]?.reader = nil
    let message: PeerMessage
    do throws(MalformedPacket) {
      message = try MessageEnvelope.open(envelope, own: identity.id)
    } catch {
      counters.refusedMessages["forged", default: 0] += 1
      throw error
    }
    if seen.contains(message.id, from: message.sender) {
      counters.repeatedMessages += 1
    } else if let refusal = refusal(of: message, roster, now) {
      counters.refusedMessages[refusal.word, default: 0] += 1
      say(RelayContent(.refused, message.id + [refusal.rawValue]), serial, now)
      return
    } else {
      seen.insert(message.id, from: message.sender, now: now.monotonic)
      counters.receivedMessages += 1
      actions.append(.received(message))
    }
    say(RelayContent(.receipt, message.id), serial, now)
  }

  private mutating func refusal(of message: PeerMessage, _ roster: Roster, _ now: Moment)
    -> MessageRefusal?
  {
    guard roster.isKnown(message.sender) else { return .unknownSender }
    let skew =
      message.sentAt > now.wall ? message.sentAt - now.wall : now.wall - message.sentAt
    guard skew <= settings.skewLimit else { return .stale }
    guard !roster.overQuota.contains(message.sender) else { return .quota }
    let fresh = Allowance(
      burst: settings.senderBurst,
      perSecond: settings.senderPerSecond,
      now: now.monotonic
    )
    return senders[message.sender, default: fresh].take(now: now.monotonic) ? nil : .flood
  }
}
