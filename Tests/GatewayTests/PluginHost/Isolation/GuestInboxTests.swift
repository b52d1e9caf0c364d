import CGatewayPlugin
import Synchronization
import Testing

@testable import Gateway

@Suite("What comes to a plugin's process") struct GuestInboxTests {
  private let gateway: ProcessLink
  private let guest: ProcessLink
  private let inbox: GuestInbox

  init() throws {
    (gateway, guest) = try ProcessLinkTests.pair()
    inbox = GuestInbox(guest)
  }

  private static func answer(_ number: UInt32, at gateway: ProcessLink) {
    gateway.send(.answer) { frame in
      frame.add(number)
      frame.add(GW_OK)
      frame.add(UInt64(number) * 2)
      frame.add("")
    }
  }

  private func event(_ number: UInt32) { gateway.send(.event) { $0.add(number) } }

  private static func numbers(_ mail: GuestInbox.Mail?) throws -> [UInt32] {
    try #require(mail).frames.map { frame in
      try frame.read { (reader) throws(LinkFrame.Fault) in try reader.number(UInt32.self) }
    }
  }

  /// Runs each on a thread of its own; whether all have returned in time.
  private func run(_ bodies: [@Sendable () -> Void]) throws -> Bool {
    let done = Monitor(0)
    for body in bodies {
      try HostThread(name: "waits") {
        body()
        done.withLock { $0 += 1 }
        done.wakeAll()
      }.detach()
    }
    return done.wait(until: MonotonicClock.now + 20_000_000_000) {
      $0 == bodies.count ? true : nil
    } ?? false
  }

  @Test func `an answer comes while the loop is away, and what came before it is kept in order`()
    throws
  {
    for number in 0..<3 { event(UInt32(number)) }
    Self.answer(7, at: gateway)
    event(3)
    #expect(inbox.answer(to: 7, pinged: nil)?.value == 14)
    #expect(try Self.numbers(inbox.mail()) == [0, 1, 2])
    #expect(try Self.numbers(inbox.mail()) == [3])
  }

  @Test func `the answer of another is kept for it`() {
    Self.answer(2, at: gateway)
    Self.answer(1, at: gateway)
    #expect(inbox.answer(to: 1, pinged: nil)?.value == 2)
    #expect(inbox.answer(to: 2, pinged: nil)?.value == 4)
  }

  @Test func `a ping is the loop's to answer, once, also while that waits for an answer`() {
    for number: UInt32 in [1, 2] {
      for _ in 0..<2 { gateway.send(.ping) { _ in } }
      Self.answer(number, at: gateway)
      #expect(inbox.answer(to: number, pinged: nil) != nil)
      if number == 1 {
        let mail = inbox.mail()
        #expect(mail?.isPinged == true && mail?.frames.isEmpty == true)
      }
    }
    event(9)
    Self.answer(3, at: gateway)
    var pings = 0
    #expect(inbox.answer(to: 3, pinged: { pings += 1 }) != nil)
    #expect(pings == 1)
    #expect(inbox.mail()?.isPinged == false)
  }

  @Test func `who has its answer leaves the reading to one who still waits`() throws {
    let inbox = inbox
    // Once is not enough: which of the two reads is not to be seen.
    for round in UInt32(0)..<200 {
      let state = Monitor((waiting: 0, has: Set<UInt32>()))
      func comes(_ isSo: (Int, Set<UInt32>) -> Bool) -> Bool {
        state.wait(until: MonotonicClock.now + 10_000_000_000) {
          isSo($0.waiting, $0.has) ? true : nil
        } ?? false
      }
      let (first, second) = (2 * round, 2 * round + 1)
      for number in [first, second] {
        try HostThread(name: "asks") {
          state.withLock { $0.waiting += 1 }
          state.wakeAll()
          guard inbox.answer(to: number, pinged: nil) != nil else { return }
          _ = state.withLock { $0.has.insert(number) }
          state.wakeAll()
        }.detach()
      }
      try #require(comes { waiting, _ in waiting == 2 })
      Self.answer(first, at: gateway)
      try #require(comes { _, has in has.contains(first) })
      Self.answer(second, at: gateway)
      try #require(comes { _, has in has.contains(second) })
    }
  }

  @Test func `the loop and many threads that wait at once get each what is theirs`() throws {
    let (gateway, guest, inbox) = (gateway, guest, inbox)
    let (threads, rounds) = (8, 500)
    // Answers each question, after an event.
    try HostThread(name: "gateway") {
      while let frame = gateway.next(),
        let number = try? frame.read({ (reader) throws(LinkFrame.Fault) in
          try reader.number(UInt32.self)
        })
      {
        gateway.send(.event) { $0.add(number) }
        Self.answer(number, at: gateway)
      }
    }.detach()
    let right = Atomic<Int>(0)
    let loop: @Sendable () -> Void = {
      var seen: Set<UInt32> = []
      while seen.count < threads * rounds, let mail = inbox.mail(),
        let numbers = try? Self.numbers(mail)
      {
        seen.formUnion(numbers)
      }
    }
    let asks = (0..<threads).map { thread -> @Sendable () -> Void in
      {
        for round in 0..<rounds {
          let number = UInt32(thread * rounds + round)
          guest.send(.publish) { $0.add(number) }
          guard inbox.answer(to: number, pinged: nil)?.value == UInt64(number) * 2 else { return }
          right.add(1, ordering: .relaxed)
        }
      }
    }
    #expect(try run([loop] + asks))
    #expect(right.load(ordering: .relaxed) == threads * rounds)
    gateway.close()
  }

  @Test(arguments: [false, true])
  func `all who wait hear of the end, and of a malformed answer`(isMalformed: Bool) throws {
    let (gateway, inbox) = (gateway, inbox)
    let heard = Atomic<Int>(0)
    let waits: [@Sendable () -> Void] = (UInt32(0)..<3).map { number in
      { if inbox.answer(to: number, pinged: nil) == nil { heard.add(1, ordering: .relaxed) } }
    }
    let loop: @Sendable () -> Void = {
      if inbox.mail() == nil { heard.add(1, ordering: .relaxed) }
    }
    if isMalformed { gateway.send(.answer) { $0.add(UInt32(0)) } }
    #expect(
      try run(
        waits + [
          loop,
          { if !isMalformed { gateway.close() } },
        ]
      )
    )
    #expect(heard.load(ordering: .relaxed) == 4)
  }
}
