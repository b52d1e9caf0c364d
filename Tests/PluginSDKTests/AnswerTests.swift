import CGatewayPlugin
import GatewayPlugin
import Synchronization
import Testing
import Wire

@Suite("Deferred answers")
struct AnswerTests {
  private static func deferring(
    _ kept: KeptAnswer,
    runs: Route.Place = .worker
  ) throws -> Loaded {
    try Loaded { _ in
      Route.get("/v1/a", scope: .read, summary: "A", runs: runs) { request in
        let answer = request.later()
        kept.keep(answer)
        return .later(answer)
      }
    }
  }

  @Test(arguments: [Route.Place.worker, .inline])
  func `answers once, from another thread, after the handler`(_ place: Route.Place) throws {
    let kept = KeptAnswer()
    let loaded = try Self.deferring(kept, runs: place)
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_PENDING)
    #expect(loaded.host.answers.isEmpty)
    let answer = try #require(kept.take())
    OtherThread { try? answer.send(.data("late")) }.join()
    #expect(loaded.host.answers.map(\.body) == ["\"late\""])
    #expect(throws: HostRefusal.gone) { try answer.send(.data("again")) }
    exchange.end()
    #expect(loaded.host.answers.count == 1)
  }

  @Test func `a cancelled request refuses the answer`() throws {
    let kept = KeptAnswer()
    let loaded = try Self.deferring(kept)
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_PENDING)
    loaded.host.record.withLock { _ = $0.settled.insert(1) }
    exchange.cancel(GW_CANCEL_DEADLINE)
    exchange.end()
    let answer = try #require(kept.take())
    #expect(answer.isCancelled)
    #expect(throws: HostRefusal.gone) { try answer.send(.data(1)) }
  }

  @Test func `an answer let go fails the request at once`() throws {
    let kept = KeptAnswer()
    let loaded = try Self.deferring(kept)
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_PENDING)
    _ = kept.take()
    #expect(loaded.host.answers.map(\.status) == [500])
    #expect(loaded.host.logLines.count == 1)
    exchange.end()
  }

  @Test func `after destroy an answer reaches no table any more`() throws {
    let kept = KeptAnswer()
    let loaded = try Self.deferring(kept)
    let exchange = try loaded.request()
    #expect(exchange.send() == GW_PENDING)
    exchange.end()
    loaded.destroy()
    let answer = try #require(kept.take())
    #expect(throws: HostRefusal.gone) { try answer.send(.data(1)) }
    #expect(loaded.host.answers.isEmpty)
  }

  @Test func `an error becomes its failure`() throws {
    let kept = KeptAnswer()
    let loaded = try Self.deferring(kept)
    let exchange = try loaded.request()
    _ = exchange.send()
    try kept.take()?.fail(Failure.conflict("taken"))
    exchange.end()
    #expect(loaded.host.answers.map(\.status) == [409])
  }
}

/// The answer of a handler, for the test.
final class KeptAnswer: Sendable {
  private let answer = Mutex<Answer?>(nil)
  func keep(_ answer: Answer) { self.answer.withLock { $0 = answer } }
  func take() -> Answer? {
    answer.withLock { kept in
      defer { kept = nil }
      return kept
    }
  }
}
