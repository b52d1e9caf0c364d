package import CGatewayPlugin
import Synchronization

/// What plugins must complete, each once: answers to service calls, health checks and quiesce.
package final class OperationTable: Sendable {
  /// Which function of the contract completes an operation.
  package enum Kind: Sendable { case completion, report }

  /// Takes the status, or the state of a health report, and the bytes.
  package typealias Completion = @Sendable (Int32, [UInt8]) -> Void

  /// Operations open at once.
  package static let capacity = 16 * 1024

  private struct Slot {
    var generation: UInt32 = 0
    var owner: UInt64 = 0
    var kind = Kind.completion
    var completion: Completion?
  }

  private struct State {
    var slots: [Slot] = []
    var free: [Int] = []
  }

  private let state = Mutex(State())

  package init() {}

  /// Opens an operation that only `owner` can complete.
  ///
  /// - Parameters:
  ///   - owner: Context of the plugin.
  ///   - kind: How it is completed.
  ///   - completion: Called once at most, on the thread that completes or revokes.
  /// - Returns: `nil` when too many are open.
  package func open(
    owner: UInt64,
    kind: Kind,
    _ completion: @escaping Completion
  ) -> gw_operation? {
    state.withLock { state in
      let index: Int
      if let free = state.free.popLast() {
        index = free
      } else {
        guard state.slots.count < Self.capacity else { return nil }
        index = state.slots.count
        state.slots.append(Slot())
      }
      state.slots[index].generation &+= 1
      if state.slots[index].generation == 0 { state.slots[index].generation = 1 }
      state.slots[index].owner = owner
      state.slots[index].kind = kind
      state.slots[index].completion = completion
      return gw_operation(v: UInt64(state.slots[index].generation) << 32 | UInt64(index))
    }
  }

  /// Completes an operation for its owner.
  ///
  /// - Parameters:
  ///   - operation: As `open` gave it.
  ///   - owner: Who completes it.
  ///   - kind: By which function.
  ///   - status: Status, or health state.
  ///   - result: Copied when somebody still waits.
  /// - Returns: `GW_E_GONE` when it is completed, revoked or another plugin's, `GW_E_ARGUMENT` when the other function
  ///   must be used.
  package func complete(
    _ operation: gw_operation,
    owner: UInt64,
    kind: Kind,
    status: Int32,
    result: gw_bytes
  ) -> gw_status {
    guard unsafe !result.isMalformed else { return GW_E_ARGUMENT }
    var answer = GW_E_GONE
    let completion = take(operation) { slot in
      guard slot.owner == owner else { return false }
      answer = slot.kind == kind ? GW_OK : GW_E_ARGUMENT
      return slot.kind == kind
    }
    unsafe completion?(status, result.copied)
    return answer
  }

  /// Ends an operation that nobody waits for any more, with `status`.
  ///
  /// - Parameters:
  ///   - operation: As `open` gave it.
  ///   - status: Goes to its completion.
  /// - Returns: Whether it was still open.
  @discardableResult
  package func revoke(_ operation: gw_operation, status: gw_status) -> Bool {
    guard let completion = take(operation, where: { _ in true }) else { return false }
    completion(status, [])
    return true
  }

  /// Ends every operation that `owner` should have completed, with `status`.
  package func revokeAll(owner: UInt64, status: gw_status) {
    let open = state.withLock { state in
      state.slots.indices.compactMap { index in
        let slot = state.slots[index]
        guard slot.completion != nil, slot.owner == owner else { return gw_operation?.none }
        return gw_operation(v: UInt64(slot.generation) << 32 | UInt64(index))
      }
    }
    for operation in open { revoke(operation, status: status) }
  }

  /// Whether an operation is neither completed nor revoked.
  package func isOpen(_ operation: gw_operation) -> Bool {
    let index = Int(operation.v & 0xFFFF_FFFF)
    return state.withLock { state in
      index < state.slots.count && state.slots[index].completion != nil
        && UInt64(state.slots[index].generation) == operation.v >> 32
    }
  }

  /// How many are open.
  package var count: Int { state.withLock { $0.slots.count - $0.free.count } }

  private func take(_ operation: gw_operation, where isWanted: (Slot) -> Bool) -> Completion? {
    let index = Int(operation.v & 0xFFFF_FFFF)
    return state.withLock { state in
      guard index < state.slots.count,
        UInt64(state.slots[index].generation) == operation.v >> 32,
        state.slots[index].completion != nil, isWanted(state.slots[index])
      else { return nil }
      state.free.append(index)
      return state.slots[index].completion.take()
    }
  }
}
