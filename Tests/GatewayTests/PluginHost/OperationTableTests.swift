import CGatewayPlugin
import Synchronization
import Testing

@testable import Gateway

@Suite("Operations end once")
struct OperationTableTests {
  private final class Ends: Sendable {
    let all = Mutex<[String]>([])
    func add(_ status: Int32, _ bytes: [UInt8]) {
      all.withLock { $0.append("\(status) \(String(decoding: bytes, as: UTF8.self))") }
    }
  }

  private func complete(
    _ table: OperationTable,
    _ operation: gw_operation,
    owner: UInt64 = 1,
    kind: OperationTable.Kind = .completion
  ) -> gw_status {
    withLent("done") {
      table.complete(operation, owner: owner, kind: kind, status: GW_OK, result: $0)
    }
  }

  @Test func `the second completion finds it gone`() throws {
    let table = OperationTable()
    let ends = Ends()
    let operation = try #require(table.open(owner: 1, kind: .completion) { ends.add($0, $1) })
    #expect(complete(table, operation) == GW_OK)
    #expect(complete(table, operation) == GW_E_GONE)
    #expect(!table.revoke(operation, status: GW_E_TIMEOUT))
    #expect(ends.all.withLock { $0 } == ["0 done"])
  }

  @Test func `a number from before does not reach the next in its slot`() throws {
    let table = OperationTable()
    let ends = Ends()
    let old = try #require(table.open(owner: 1, kind: .completion) { ends.add($0, $1) })
    #expect(table.revoke(old, status: GW_E_TIMEOUT))
    let next = try #require(table.open(owner: 1, kind: .completion) { ends.add($0, $1) })
    #expect(next.v & 0xFFFF_FFFF == old.v & 0xFFFF_FFFF)
    #expect(!table.isOpen(old) && table.isOpen(next) && !table.isOpen(gw_operation(v: .max)))
    #expect(complete(table, old) == GW_E_GONE)
    #expect(complete(table, gw_operation(v: 0)) == GW_E_GONE)
    #expect(complete(table, gw_operation(v: .max)) == GW_E_GONE)
    #expect(complete(table, next) == GW_OK)
    #expect(ends.all.withLock { $0 } == ["\(GW_E_TIMEOUT) ", "0 done"])
  }

  @Test func `only its owner completes it, by the right function`() throws {
    let table = OperationTable()
    let operation = try #require(table.open(owner: 1, kind: .report) { _, _ in })
    #expect(complete(table, operation, owner: 2, kind: .report) == GW_E_GONE)
    #expect(complete(table, operation) == GW_E_ARGUMENT)
    #expect(complete(table, operation, kind: .report) == GW_OK)
  }

  @Test func `an owner that leaves ends all of its own`() throws {
    let table = OperationTable()
    let ends = Ends()
    for owner in [1, 2, 1] as [UInt64] {
      _ = try #require(table.open(owner: owner, kind: .completion) { ends.add($0, $1) })
    }
    table.revokeAll(owner: 1, status: GW_E_GONE)
    #expect(ends.all.withLock { $0 } == ["\(GW_E_GONE) ", "\(GW_E_GONE) "])
    #expect(table.count == 1)
  }

  @Test func `has a limit`() throws {
    let table = OperationTable()
    for _ in 0..<OperationTable.capacity {
      _ = try #require(table.open(owner: 1, kind: .completion) { _, _ in })
    }
    #expect(table.open(owner: 1, kind: .completion) { _, _ in } == nil)
    table.revokeAll(owner: 1, status: GW_E_GONE)
    #expect(table.open(owner: 1, kind: .completion) { _, _ in } != nil)
  }
}
