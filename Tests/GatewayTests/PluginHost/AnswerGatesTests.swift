import CGatewayPlugin
import Synchronization
import Testing

@testable import Gateway

@Suite("Which requests still want an answer")
struct AnswerGatesTests {
  private let owner: UInt64 = 7

  /// Gates, and a handle of one that is open.
  private func opened(loop: Int = 0) throws -> (AnswerGates, UInt64) {
    let gates = AnswerGates(loop: loop)
    return (gates, try #require(gates.open(owner: owner)))
  }

  /// Gates, and a handle of one that is streaming.
  private func streaming() throws -> (AnswerGates, UInt64) {
    let (gates, handle) = try opened()
    #expect(gates.claim(handle, owner: owner, from: .open, to: .streaming) == GW_OK)
    return (gates, handle)
  }

  @Test(arguments: [0, 1, 254]) func `a handle names its loop and is never 0`(_ loop: Int) throws {
    let (_, handle) = try opened(loop: loop)
    #expect(handle != 0)
    #expect(AnswerGates.loop(of: handle) == loop)
    #expect(AnswerGates.index(of: handle) == 0)
    #expect(AnswerGates.loop(of: 0) == nil)
    #expect(AnswerGates.loop(of: 0x00FF_FFFF_FFFF_FFFF) == nil)
  }

  @Test func `exactly one of eight threads claims`() throws {
    let gates = AnswerGates(loop: 0)
    let owner = owner
    for _ in 0..<500 {
      let handle = try #require(gates.open(owner: owner))
      let wins = Atomic<Int>(0)
      let gone = Atomic<Int>(0)
      runThreads(8) {
        switch gates.claim(handle, owner: owner, from: .open, to: .answered) {
        case GW_OK: wins.wrappingAdd(1, ordering: .relaxed)
        case GW_E_GONE: gone.wrappingAdd(1, ordering: .relaxed)
        default: break
        }
      }
      #expect(wins.load(ordering: .relaxed) == 1)
      #expect(gone.load(ordering: .relaxed) == 7)
      #expect(gates.close(handle) == .answered)
    }
  }

  @Test func `whole answer and stream exclude each other between threads`() throws {
    let gates = AnswerGates(loop: 0)
    let owner = owner
    for _ in 0..<500 {
      let handle = try #require(gates.open(owner: owner))
      let turn = Atomic<Int>(0)
      let wins = Atomic<Int>(0)
      runThreads(2) {
        let isFirst = turn.wrappingAdd(1, ordering: .relaxed).newValue == 1
        let next: AnswerGates.Phase = isFirst ? .answered : .streaming
        if gates.claim(handle, owner: owner, from: .open, to: next) == GW_OK {
          wins.wrappingAdd(1, ordering: .relaxed)
        }
      }
      #expect(wins.load(ordering: .relaxed) == 1)
      gates.close(handle)
    }
  }

  @Test func `a closed or foreign handle is gone`() throws {
    let (gates, handle) = try opened()
    #expect(gates.claim(handle, owner: 8, from: .open, to: .answered) == GW_E_GONE)
    #expect(gates.claim(0, owner: owner, from: .open, to: .answered) == GW_E_GONE)
    for strange in [
      handle ^ 1 << 56, handle ^ 1 << 32, handle + 1, .max, 1 << 56 | 0xFF_FFFF << 32,
    ] {
      #expect(gates.claim(strange, owner: owner, from: .open, to: .answered) == GW_E_GONE)
      #expect(gates.admit(1, to: strange, owner: owner, mark: 10) == GW_E_GONE)
    }
    #expect(gates.close(handle) == .open)
    #expect(gates.claim(handle, owner: owner, from: .open, to: .answered) == GW_E_GONE)
    #expect(gates.admit(1, to: handle, owner: owner, mark: 10) == GW_E_GONE)
  }

  @Test func `a gate is used again under another handle, which the old one does not open`() throws {
    let (gates, old) = try opened()
    gates.close(old)
    let new = try #require(gates.open(owner: owner))
    #expect(AnswerGates.index(of: new) == AnswerGates.index(of: old))
    #expect(new != old)
    #expect(gates.claim(old, owner: owner, from: .open, to: .answered) == GW_E_GONE)
    #expect(gates.claim(new, owner: owner, from: .open, to: .answered) == GW_OK)
  }

  @Test func `nothing of the earlier request clings to a gate`() throws {
    let (gates, old) = try streaming()
    gates.setLength(3, of: old)
    #expect(gates.admit(2, to: old, owner: owner, mark: 1) == GW_AGAIN)
    gates.close(old)
    let new = try #require(gates.open(owner: owner + 1))
    #expect(gates.claim(new, owner: owner, from: .open, to: .streaming) == GW_E_GONE)
    #expect(gates.claim(new, owner: owner + 1, from: .open, to: .streaming) == GW_OK)
    #expect(gates.lacking(new) == 0)
    #expect(gates.admit(100, to: new, owner: owner + 1, mark: 100) == GW_OK)
    #expect(!gates.release(100, of: new, mark: 100))
  }

  @Test func `a step out of turn is a state error while the request lives`() throws {
    let (gates, handle) = try opened()
    #expect(gates.claim(handle, owner: owner, from: .streaming, to: .answered) == GW_E_STATE)
    #expect(gates.admit(1, to: handle, owner: owner, mark: 10) == GW_E_STATE)
    #expect(gates.claim(handle, owner: owner, from: .open, to: .streaming) == GW_OK)
    #expect(gates.claim(handle, owner: owner, from: .open, to: .answered) == GW_E_STATE)
    #expect(gates.claim(handle, owner: owner, from: .streaming, to: .answered) == GW_OK)
    #expect(gates.claim(handle, owner: owner, from: .streaming, to: .answered) == GW_E_GONE)
    #expect(gates.admit(1, to: handle, owner: owner, mark: 10) == GW_E_GONE)
  }

  @Test func `a revoked request takes no answer, and is still closed once`() throws {
    let (gates, handle) = try streaming()
    #expect(gates.revoke(handle), "a stream had begun")
    #expect(!gates.revoke(handle))
    #expect(gates.admit(1, to: handle, owner: owner, mark: 10) == GW_E_GONE)
    #expect(gates.claim(handle, owner: owner, from: .streaming, to: .answered) == GW_E_GONE)
    #expect(gates.claim(handle, owner: owner, from: .open, to: .answered) == GW_E_GONE)
    #expect(gates.close(handle) == .answered)
  }

  @Test func `admits to the mark, asks to wait one past it, refuses past four times the mark`()
    throws
  {
    let (gates, handle) = try streaming()
    #expect(gates.admit(10, to: handle, owner: owner, mark: 10) == GW_OK)
    #expect(gates.admit(1, to: handle, owner: owner, mark: 10) == GW_AGAIN)
    #expect(gates.admit(29, to: handle, owner: owner, mark: 10) == GW_AGAIN)
    // 40 wait, four times the mark and no more.
    #expect(gates.admit(1, to: handle, owner: owner, mark: 10) == GW_AGAIN)
    #expect(gates.admit(1, to: handle, owner: owner, mark: 10) == GW_E_LIMIT)
    // What was refused does not count.
    #expect(!gates.release(35, of: handle, mark: 10))
    #expect(gates.release(1, of: handle, mark: 10))
  }

  @Test func `says that there is room again once, and only to whom waits`() throws {
    let (gates, handle) = try streaming()
    #expect(gates.admit(8, to: handle, owner: owner, mark: 10) == GW_OK)
    #expect(!gates.release(8, of: handle, mark: 10))
    #expect(gates.admit(11, to: handle, owner: owner, mark: 10) == GW_AGAIN)
    #expect(!gates.release(5, of: handle, mark: 10))
    #expect(gates.release(1, of: handle, mark: 10))
    #expect(!gates.release(5, of: handle, mark: 10))
    #expect(gates.admit(11, to: handle, owner: owner, mark: 10) == GW_AGAIN)
    #expect(gates.release(11, of: handle, mark: 10))
  }

  @Test func `an answer of known length takes no byte more, and says what it lacks`() throws {
    let (gates, handle) = try streaming()
    gates.setLength(5, of: handle)
    #expect(gates.lacking(handle) == 5)
    #expect(gates.admit(6, to: handle, owner: owner, mark: 100) == GW_E_LIMIT)
    #expect(gates.admit(3, to: handle, owner: owner, mark: 100) == GW_OK)
    #expect(gates.lacking(handle) == 2)
    #expect(gates.admit(3, to: handle, owner: owner, mark: 100) == GW_E_LIMIT)
    #expect(gates.admit(2, to: handle, owner: owner, mark: 100) == GW_OK)
    #expect(gates.lacking(handle) == 0)
    #expect(gates.admit(1, to: handle, owner: owner, mark: 100) == GW_E_LIMIT)
    #expect(gates.admit(0, to: handle, owner: owner, mark: 100) == GW_OK)
  }

  @Test func `eight threads together do not exceed the length`() throws {
    for _ in 0..<20 {
      let (gates, handle) = try streaming()
      gates.setLength(1_000, of: handle)
      let owner = owner
      let taken = Atomic<Int>(0)
      runThreads(8) {
        for _ in 0..<1_000
        where gates.admit(1, to: handle, owner: owner, mark: 1 << 20) == GW_OK {
          taken.wrappingAdd(1, ordering: .relaxed)
        }
      }
      #expect(taken.load(ordering: .relaxed) == 1_000)
      #expect(gates.lacking(handle) == 0)
    }
  }

  @Test func `whoever was asked to wait is told, however writes and reads fall together`() throws {
    // Two writers that go on only when told so, one of them past the limit, and a reader that takes all there is.
    let (gates, handle) = try streaming()
    let owner = owner
    let told = Monitor(0)
    let pending = Atomic<Int>(0)
    let finished = Atomic<Int>(0)
    let stuck = Atomic<Bool>(false)
    let limit = MonotonicClock.now + 20_000_000_000
    let reader = try HostThread(name: "reader") {
      while finished.load(ordering: .acquiring) < 2, MonotonicClock.now < limit {
        let count = pending.exchange(0, ordering: .acquiringAndReleasing)
        guard count > 0 else { continue }
        if gates.release(count, of: handle, mark: 10) {
          told.withLock { $0 += 1 }
          told.wakeAll()
        }
      }
    }
    runThreads(2) {
      for step in 0..<5_000 {
        let before = told.withLock { $0 }
        let count = step % 3 == 0 ? 0 : 50
        let status = gates.admit(count, to: handle, owner: owner, mark: 10)
        if status >= 0 { pending.wrappingAdd(count, ordering: .acquiringAndReleasing) }
        guard status == GW_AGAIN || status == GW_E_LIMIT else { continue }
        let woken: Bool? = told.wait(until: MonotonicClock.now + 2_000_000_000) { now in
          // The other writer may have been told in between: nothing waits for the client then.
          now != before ? true : nil
        }
        if woken == nil, gates.admit(0, to: handle, owner: owner, mark: 10) == GW_OK {
          stuck.store(true, ordering: .relaxed)
          break
        }
      }
      finished.wrappingAdd(1, ordering: .releasing)
    }
    reader.join()
    let isStuck = stuck.load(ordering: .relaxed)
    #expect(!isStuck)
  }

  @Test func `at most 65,536 requests of one loop, and one more for each that ends`() throws {
    let gates = AnswerGates(loop: 0)
    var handles: [UInt64] = []
    for _ in 0..<65_536 { handles.append(try #require(gates.open(owner: owner))) }
    #expect(Set(handles).count == 65_536)
    #expect(gates.open(owner: owner) == nil)
    #expect(gates.open(owner: owner) == nil)
    let last = try #require(handles.last)
    #expect(AnswerGates.index(of: last) == 65_535)
    #expect(gates.claim(last, owner: owner, from: .open, to: .answered) == GW_OK)
    gates.close(handles[30_000])
    let again = try #require(gates.open(owner: owner))
    #expect(AnswerGates.index(of: again) == 30_000)
    #expect(gates.open(owner: owner) == nil)
  }
}
