/// Why a circuit ended, or could not be lengthened, as its hops say it.
package enum CircuitEnd: UInt8, Sendable, Equatable, CaseIterable {
  /// Its sender needs it no more.
  case finished = 0
  /// A cell was altered, or breaks the protocol.
  case malformed = 1
  /// A limit of a hop is reached.
  case limit = 2
  /// The hop does not know the next peer.
  case unknownPeer = 3
  /// The hop cannot reach the next peer.
  case unreachable = 4
  /// A link under it ended.
  case linkLost = 5
  /// Nothing passed for too long.
  case idle = 6
  /// It took too long to build.
  case timeout = 7
  /// The recipient did not confirm in time.
  case unconfirmed = 8

  /// A word for counters and events.
  package var word: String {
    switch self {
    case .finished: "finished"
    case .malformed: "malformed"
    case .limit: "limit"
    case .unknownPeer: "unknown_peer"
    case .unreachable: "unreachable"
    case .linkLost: "link_lost"
    case .idle: "idle"
    case .timeout: "timeout"
    case .unconfirmed: "unconfirmed"
    }
  }

  /// The reason in a payload; an unknown one counts as `finished`.
  init(_ data: [UInt8]) { self = data.first.flatMap { CircuitEnd(rawValue: $0) } ?? .finished }
}
