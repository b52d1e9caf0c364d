import Foundation
import GatewayPlugin
import Synchronization
import Testing

@testable import P2PFog

@Suite("Where locked money goes when something goes wrong")
struct MoneyTests {
  @Test("what a settlement locks comes back when the ledger cannot read or will not take it")
  func refusedSettlement() throws {
    for code in ["MALFORMED", "INVALID_AMOUNT"] {
      let bench = try FogBench()
      let job = try bench.submit()
      try bench.run { try bench.status(job.id) == .running }
      bench.ledger.books.withLock {
        $0.refusedMethod = "settle"
        if code == "MALFORMED" { $0.malformed = [job.id] } else { $0.refused = (code, "No.") }
      }
      try bench.run { try bench.status(job.id) == .completed }
      try bench.run(atMost: 20) { bench.ledger.openLocks == 0 }
      _ = bench.coordinator.settle()
      #expect(bench.ledger.balance("ada") == Amount(1000 * Amount.unit))
      let detail = try bench.coordinator.detail(try bench.job(job.id))
      let settlement = detail["costs"]?["settlement"]
      #expect(settlement?["state"] == "refused")
      #expect(settlement?["answer"]?["refused"]?["code"] == .string(code))
      #expect(try bench.coordinator.figures().settlementsRefused == 1)
      let calls = bench.ledger.books.withLock { $0.calls.count }
      for _ in 0..<3 { try bench.step() }
      #expect(bench.ledger.books.withLock { $0.calls.count } == calls)
    }
  }

  @Test("a release that is refused for a while is done in the end, and shown as that")
  func lateRelease() throws {
    let bench = try FogBench(nodes: [ScriptedNode(1)])
    bench.nodes[0].manner = .hangs
    let job = try bench.submit()
    bench.ledger.books.withLock { $0.refused = ("NOT_ALLOWED", "Not by this plugin.") }
    bench.nodes[0].manner = .ends(outcome: "failed", exitCode: nil, reason: "node: broken")
    try bench.run { try bench.status(job.id) == .failed }
    for _ in 0..<3 { try bench.step() }
    bench.ledger.books.withLock { $0.refused = nil }
    try bench.run { bench.ledger.openLocks == 0 }
    _ = bench.coordinator.settle()
    #expect(try bench.coordinator.figures().settlementsRefused == 0)
    #expect(bench.ledger.balance("ada") == Amount(1000 * Amount.unit))
  }

  @Test("a lock that the ledger does not understand holds up no settlement of others")
  func malformedLock() throws {
    let bench = try FogBench()
    let job = try bench.submit()
    bench.ledger.books.withLock { $0.refusal = .timeout }
    #expect(bench.refusal()?.status == 503)
    bench.ledger.books.withLock {
      $0.refusal = nil
      $0.malformedMethods = ["lock"]
    }
    #expect(bench.refusal()?.status == 503)
    try bench.run(atMost: 40) { bench.ledger.settled.map(\.key).contains(job.id) }
    #expect(try bench.coordinator.list(Coordinator.Listing()).total == 1)
  }

  @Test("a submission that another generation takes back meanwhile is refused, not run for nothing")
  func takenBack() throws {
    let bench = try FogBench()
    let old = bench.coordinator
    try bench.replace()
    let isLocked = DispatchSemaphore(value: 0)
    let mayGoOn = DispatchSemaphore(value: 0)
    let hasEnded = DispatchSemaphore(value: 0)
    let main = pthread_self()
    bench.ledger.books.withLock {
      $0.onAnswer = { method in
        if method == "lock", pthread_self() != main {
          isLocked.signal()
          _ = mayGoOn.wait(timeout: .now() + 20)
        }
        // The other generation has given the money back; the submission gets its answer now.
        if method == "release", pthread_self() == main {
          mayGoOn.signal()
          _ = hasEnded.wait(timeout: .now() + 20)
        }
      }
    }
    let result = Mutex<FogJob.Status?>(nil)
    let submission = Thread {
      let job = try? old.submit(FogBench.body(), key: nil, owner: "ada").job
      result.withLock { $0 = job?.status }
      hasEnded.signal()
    }
    submission.start()
    #expect(isLocked.wait(timeout: .now() + 20) == .success)
    _ = bench.coordinator.settle()
    #expect(result.withLock { $0 } == nil)
    #expect(bench.ledger.openLocks == 0)
    #expect(try bench.coordinator.list(Coordinator.Listing()).total == 0)
  }
}
