/// This peer's messages that no receipt has come for.
struct Outbox: Sendable {
  struct Entry: Sendable {
    let message: PeerMessage
    let recipient: PeerID
    let hops: Int
    /// What goes over a circuit, in cells.
    let contents: [RelayContent]
    let serial: Int
    var tries = 0
    var state: State

    /// What the entry costs.
    var size: Int { message.payload.count + 1024 }
  }

  enum State: Sendable, Equatable {
    /// For a circuit, from this time on.
    case waiting(from: UInt64)
    /// For its turn on a circuit.
    case assigned(circuit: Int)
    /// On its way.
    case sent(circuit: Int, at: UInt64, deadline: UInt64)
  }

  private(set) var entries: [[UInt8]: Entry] = [:]
  private var serial = 0
  private var bytes = 0

  var count: Int { entries.count }

  /// When something has to be done at the latest.
  var deadline: UInt64? {
    entries.values.lazy.compactMap {
      switch $0.state {
      case .waiting(let from): from
      case .assigned: nil
      case .sent(_, _, let deadline): deadline
      }
    }.min()
  }

  /// Identifiers in the order of their turns: by priority, then by age.
  var turns: [[UInt8]] {
    entries.values.sorted {
      ($1.message.priority, $0.serial) < ($0.message.priority, $1.serial)
    }.map(\.message.id)
  }

  /// Whether there was room, and no message of the identifier.
  mutating func insert(
    _ message: PeerMessage,
    for recipient: PeerID,
    hops: Int,
    _ contents: [RelayContent],
    _ settings: OverlaySettings,
    now: UInt64
  ) -> Bool {
    let entry = Entry(
      message: message,
      recipient: recipient,
      hops: hops,
      contents: contents,
      serial: serial,
      state: .waiting(from: now)
    )
    guard entries[message.id] == nil, entries.count < settings.outboxMessages,
      bytes + entry.size <= settings.outboxBytes
    else { return false }
    serial += 1
    bytes += entry.size
    entries[message.id] = entry
    return true
  }

  mutating func set(_ state: State, _ id: [UInt8]) { entries[id]?.state = state }

  /// Puts a message back whose circuit has failed.
  ///
  /// - Returns: When it is tried again; `nil` when it was tried often enough.
  mutating func retry(_ id: [UInt8], _ settings: OverlaySettings, now: UInt64)
    -> UInt64?
  {
    guard let tries = entries[id]?.tries else { return nil }
    entries[id]?.tries = tries + 1
    guard tries + 1 < settings.tries else { return nil }
    let from = now + settings.retryAfter << UInt64(min(tries, 6))
    entries[id]?.state = .waiting(from: from)
    return from
  }

  mutating func remove(_ id: [UInt8]) -> Entry? {
    guard let entry = entries.removeValue(forKey: id) else { return nil }
    bytes -= entry.size
    return entry
  }

  /// The circuits that have messages, sent or not.
  var circuits: Set<Int> { Set(entries.values.lazy.compactMap(\.circuit)) }

  /// The messages of a circuit, sent or not.
  func messages(of circuit: Int) -> [[UInt8]] {
    entries.values.filter { $0.circuit == circuit }.sorted { $0.serial < $1.serial }
      .map(\.message.id)
  }
}

extension Outbox.Entry {
  /// The circuit that it has, if any.
  var circuit: Int? {
    switch state {
    case .waiting: nil
    case .assigned(let circuit): circuit
    case .sent(let circuit, _, _): circuit
    }
  }
}
