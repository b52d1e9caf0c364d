import Synchronization

/// How many connections are open, in all and from each address; shared by all loops.
package final class ConnectionCounts: Sendable {
  private struct State {
    var total = 0
    var byAddress: [[UInt8]: Int] = [:]
  }

  /// Whether a connection may stay.
  package enum Admission: Equatable {
    case admitted
    case tooMany
    case tooManyFromAddress
  }

  private let state = Mutex(State())
  private let limit: Int
  private let limitPerAddress: Int

  /// - Parameters:
  ///   - limit: Connections in all.
  ///   - limitPerAddress: Connections from one address; 0 for no limit.
  package init(limit: Int, limitPerAddress: Int) {
    self.limit = limit
    self.limitPerAddress = limitPerAddress
  }

  /// Connections that are open now.
  package var total: Int { state.withLock { $0.total } }

  /// Counts a connection from `address`, unless a limit is reached.
  ///
  /// Each `.admitted` is paired with one `remove`.
  package func add(_ address: [UInt8]) -> Admission {
    state.withLock { state in
      guard state.total < limit else { return .tooMany }
      let count = state.byAddress[address, default: 0]
      guard limitPerAddress == 0 || count < limitPerAddress else { return .tooManyFromAddress }
      state.byAddress[address] = count + 1
      state.total += 1
      return .admitted
    }
  }

  package func remove(_ address: [UInt8]) {
    state.withLock { state in
      guard let count = state.byAddress[address] else { return }
      state.byAddress[address] = count == 1 ? nil : count - 1
      state.total -= 1
    }
  }
}
