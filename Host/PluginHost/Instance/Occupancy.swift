/// The calls of the host that are inside one plugin, and those it is owed.
///
/// Its code is not destroyed before all have left.
final class Occupancy: Sendable {
  enum Kind: Int, CaseIterable, Sendable {
    case call, event, check, job, repeated

    var name: String {
      switch self {
      case .call: "service calls"
      case .event: "event deliveries"
      case .check: "health checks"
      case .job: "jobs"
      case .repeated: "repeated jobs"
      }
    }
  }

  private struct State {
    var counts = Array(repeating: 0, count: Kind.allCases.count)
    var isClosed = false
  }

  private let state = Monitor(State())

  /// Announces a call; `false` when the plugin takes none any more.
  func enter(_ kind: Kind) -> Bool {
    state.withLock { state in
      guard !state.isClosed else { return false }
      state.counts[kind.rawValue] += 1
      return true
    }
  }

  /// A call that was announced has returned.
  func leave(_ kind: Kind) {
    let isLast = state.withLock { state in
      state.counts[kind.rawValue] -= 1
      return state.counts[kind.rawValue] == 0
    }
    if isLast { state.wakeAll() }
  }

  /// Waits until nothing of `kind` is inside.
  ///
  /// - Parameters:
  ///   - kind: Of call.
  ///   - deadline: In nanoseconds of the monotonic clock; `nil` waits for ever.
  /// - Returns: `false` when some still is at the deadline.
  func hasLeft(_ kind: Kind, by deadline: Int64?) -> Bool {
    state.wait(until: deadline) { $0.counts[kind.rawValue] == 0 ? true : nil } ?? false
  }

  /// Waits until nothing is inside and then takes nothing more.
  ///
  /// - Parameter deadline: In nanoseconds of the monotonic clock.
  /// - Returns: What is still inside at the deadline, in words; nothing when the plugin is closed now.
  func close(by deadline: Int64) -> [String] {
    let closed: Bool? = state.wait(until: deadline) { state in
      guard state.counts.allSatisfy({ $0 == 0 }) else { return nil }
      state.isClosed = true
      return true
    }
    return closed == true ? [] : remaining
  }

  /// What is inside, in words.
  var remaining: [String] {
    let counts = state.withLock { $0.counts }
    return Kind.allCases.filter { counts[$0.rawValue] > 0 }.map {
      "\(counts[$0.rawValue]) \($0.name)"
    }
  }
}
