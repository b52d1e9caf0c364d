import GatewayPlugin
import Peering
import Testing

@testable import P2PFog

@Suite("What a lying coordinator can do to a node")
struct HostileCoordinatorTests {
  /// Answers every call with the same.
  private struct Same: PeerCalls {
    let own = ScriptedNode(1).id
    let answer: JSON

    func call(
      _ peer: PeerID,
      _ method: String,
      _ body: CallBody,
      timeout: Duration
    ) throws(CallFailure) -> CallBody { CallBody(answer) }

    func serve(
      _ method: String,
      _ handler: @escaping @Sendable (PeerID, CallBody) throws(CallFailure) -> CallBody
    ) {}
  }

  private static func log(_ calls: Same) -> LeaseLog {
    let offer = LeaseOffer(
      leaseID: "l",
      jobID: "j",
      type: .process,
      requirements: Requirements(),
      parameters: [:],
      inputs: [],
      outputBytes: 0,
      logBytes: 1000,
      leaseSeconds: 10
    )
    let lease = ActiveLease(ActiveLease.Key(ScriptedNode(2).id, "l"), offer, at: 0)
    let ask = LeaseCalls(lease, calls, shouldStop: { false })
    return LeaseLog(ask, submit: { $0() }, limit: 1000)
  }

  @Test(
    "an offset in a log that cannot be is the coordinator's fault, and ends no process",
    arguments: [Int64.min, -1, 6, Int64.max]
  )
  func logOffset(_ offset: Int64) throws {
    let log = Self.log(Same(answer: ["offset": .integer(offset)]))
    log.add(.stdout, Array("12345".utf8))
    #expect(throws: NodeFault.self) { try log.sendAll() }
  }
}
