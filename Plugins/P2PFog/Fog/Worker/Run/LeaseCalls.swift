package import GatewayPlugin
import Glibc
import Peering

/// The job ends from outside: `ActiveLease.stop` says why.
package struct LeaseStopped: Error, Equatable {
  package init() {}
}

/// Something on this node, not the job, is at fault; the job may run elsewhere.
package struct NodeFault: Error, Equatable, CustomStringConvertible {
  package let description: String

  package init(_ sentence: String) { description = sentence }
}

/// Calls to the coordinator about one lease, repeated until they are answered or the lease is over.
package struct LeaseCalls: Sendable {
  /// Between two tries.
  static let pause = 250
  /// One try may take so long.
  static let timeout: Duration = .seconds(5)

  let lease: ActiveLease
  let calls: any PeerCalls
  /// Whether the thread's owner wants it to end.
  let shouldStop: @Sendable () -> Bool

  package init(
    _ lease: ActiveLease,
    _ calls: any PeerCalls,
    shouldStop: @escaping @Sendable () -> Bool
  ) {
    self.lease = lease
    self.calls = calls
    self.shouldStop = shouldStop
  }

  /// Throws when the job must end.
  package func checkStop() throws(LeaseStopped) {
    if shouldStop() { lease.end(.leaving("restarting")) }
    if lease.stop != nil { throw LeaseStopped() }
  }

  /// Waits; ends early when the job must end.
  package func rest(milliseconds: Int) throws(LeaseStopped) {
    var left = milliseconds
    while left > 0 {
      try checkStop()
      _ = poll(nil, 0, CInt(min(left, 20)))
      left -= 20
    }
    try checkStop()
  }

  /// Calls until there is an answer.
  ///
  /// - Parameters:
  ///   - method: Like `fog.input`.
  ///   - members: Beside the lease's id.
  ///   - bytes: A piece of a file.
  /// - Returns: The answer.
  /// - Throws: `LeaseStopped`; `CallFailure.refused` for any refusal but `LEASE_LOST`.
  package func ask(
    _ method: String,
    _ members: [JSON.Member] = [],
    bytes: [UInt8] = []
  ) throws -> CallBody {
    while true {
      try checkStop()
      if let answer = try askOnce(method, members, bytes: bytes) { return answer }
      try rest(milliseconds: Self.pause)
    }
  }

  /// Calls once.
  ///
  /// - Parameters:
  ///   - method: Like `fog.log`.
  ///   - members: Beside the lease's id.
  ///   - bytes: A piece of a file.
  ///   - timeout: It may take so long.
  /// - Returns: The answer; `nil` when there was none, and it may be asked again.
  /// - Throws: `LeaseStopped` when the coordinator knows of no such lease; `CallFailure.refused` for other refusals.
  package func askOnce(
    _ method: String,
    _ members: [JSON.Member],
    bytes: [UInt8] = [],
    timeout: Duration = timeout
  ) throws -> CallBody? {
    let id = JSON.Member(name: "lease_id", value: .string(lease.key.leaseID))
    do throws(CallFailure) {
      return try calls.call(
        lease.key.coordinator,
        method,
        CallBody(.object([id] + members), bytes: bytes),
        timeout: timeout
      )
    } catch .refused("LEASE_LOST", _) {
      lease.end(.lost)
      throw LeaseStopped()
    } catch .refused(let code, let message) {
      throw CallFailure.refused(code: code, message: message)
    } catch {
      return nil
    }
  }
}
