/// Calls to peers whose links are on their way.
struct WaitingCalls: Sendable {
  struct Call: Sendable {
    let id: UInt64
    let method: String
    let body: CallContent
    let deadline: UInt64
  }

  private var calls: [PeerID: [Call]] = [:]

  var deadline: UInt64? { calls.values.joined().lazy.map(\.deadline).min() }

  /// Whether there was room.
  mutating func append(_ call: Call, for peer: PeerID, _ settings: OverlaySettings) -> Bool {
    let all = calls.values.joined()
    let bytes = all.reduce(call.body.count) { $0 + $1.body.count }
    guard all.count(where: { _ in true }) < settings.waitingCallLimit,
      bytes <= settings.waitingCallBytes
    else { return false }
    calls[peer, default: []].append(call)
    return true
  }

  /// Takes out all that wait for a peer.
  mutating func take(_ peer: PeerID) -> [Call] { calls.removeValue(forKey: peer) ?? [] }

  /// Takes out all that are too late; their numbers.
  mutating func expire(now: UInt64) -> [UInt64] {
    var late: [UInt64] = []
    for (peer, waiting) in calls {
      late += waiting.filter { $0.deadline <= now }.map(\.id)
      let rest = waiting.filter { $0.deadline > now }
      calls[peer] = rest.isEmpty ? nil : rest
    }
    return late.sorted()
  }
}
