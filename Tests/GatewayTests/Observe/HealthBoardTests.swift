import Testing
import Wire

@testable import Gateway

@Suite("Health board")
struct HealthBoardTests {
  private let second: Int64 = 1_000_000_000

  @Test func `is healthy without services and with good ones`() {
    let board = HealthBoard()
    #expect(board.summary(now: 0) == .init(state: .healthy, services: .object([])))
    board.run("good", version: "1.0.0")
    let expected: JSON = ["good": ["status": "running", "available": true, "version": "1.0.0"]]
    #expect(board.summary(now: 0) == .init(state: .healthy, services: expected))
  }

  @Test func `a failed service degrades, only failed ones make unhealthy`() {
    let board = HealthBoard()
    board.fail("bad", reason: "why")
    #expect(board.summary(now: 0).state == .unhealthy)
    board.run("good", version: "1.0.0")
    let summary = board.summary(now: 0)
    #expect(summary.state == .degraded)
    #expect(summary.services["bad"] == ["status": "error", "available": false, "reason": "why"])
    board.stop("good")
    #expect(board.summary(now: 0).services["good"]?["status"] == "stopped")
  }

  @Test func `an unanswered check is stale one nanosecond after its time, until it answers`() throws
  {
    let board = HealthBoard()
    board.run("x", version: "1.0.0")
    let check = try #require(board.addCheck("db", to: "x", timeout: .seconds(2)))
    #expect(board.summary(now: 0).services["x"]?["checks"]?["db"]?["status"] == "pending")
    board.checkStarted(check, now: 0)
    #expect(board.summary(now: 2 * second).state == .healthy)
    let late = board.summary(now: 2 * second + 1)
    #expect(late.state == .degraded)
    #expect(late.services["x"]?["status"] == "stale")
    #expect(late.services["x"]?["available"] == false)
    #expect(late.services["x"]?["checks"]?["db"]?["unanswered_seconds"] == 2)
    board.checkAnswered(check, .healthy, detail: ["rows": 5], now: 3 * second)
    let answered = board.summary(now: 9 * second)
    #expect(answered.state == .healthy)
    #expect(
      answered.services["x"]?["checks"]?["db"] == ["status": "healthy", "detail": ["rows": 5]]
    )
  }

  @Test func `the worst check counts`() throws {
    let board = HealthBoard()
    board.run("x", version: "1.0.0")
    let one = try #require(board.addCheck("one", to: "x", timeout: .seconds(1)))
    let two = try #require(board.addCheck("two", to: "x", timeout: .seconds(1)))
    board.checkAnswered(one, .degraded, detail: nil, now: 0)
    #expect(board.summary(now: 0).services["x"]?["status"] == "degraded")
    #expect(board.summary(now: 0).services["x"]?["available"] == true)
    board.checkAnswered(two, .unhealthy, detail: nil, now: 0)
    #expect(board.summary(now: 0).services["x"]?["status"] == "error")
    #expect(board.summary(now: 0).state == .unhealthy)
  }

  @Test func `an answer to a check of an earlier run is nobody's`() throws {
    let board = HealthBoard()
    board.run("x", version: "1.0.0")
    let old = try #require(board.addCheck("db", to: "x", timeout: .seconds(1)))
    board.run("x", version: "2.0.0")
    let new = try #require(board.addCheck("db", to: "x", timeout: .seconds(1)))
    board.checkAnswered(old, .unhealthy, detail: nil, now: 0)
    #expect(board.checks(of: "x", now: 0) == .init(isPending: true, failing: []))
    board.checkAnswered(new, .unhealthy, detail: nil, now: 0)
    #expect(board.checks(of: "x", now: 0) == .init(failing: ["db is unhealthy"]))
    board.checkStarted(new, now: 0)
    let late = board.checks(of: "x", now: second + 1)
    #expect(late?.failing == ["db does not answer", "db is unhealthy"])
    board.stop("x")
    #expect(board.checks(of: "x", now: 0) == nil)
  }

  @Test func `ended generations are counted, and degrade when there must not be more`() {
    let board = HealthBoard()
    board.run("x", version: "1.0.0")
    board.retire(1, isFull: false)
    #expect(board.summary(now: 0).retired == 1 && board.summary(now: 0).state == .healthy)
    board.retire(2, isFull: true)
    #expect(board.summary(now: 0).retired == 2 && board.summary(now: 0).state == .degraded)
  }

  @Test func `takes no check twice and none of a stranger`() {
    let board = HealthBoard()
    #expect(board.addCheck("a", to: "nobody", timeout: .seconds(1)) == nil)
    board.run("x", version: "1.0.0")
    #expect(board.addCheck("a", to: "x", timeout: .seconds(1)) != nil)
    #expect(board.addCheck("a", to: "x", timeout: .seconds(1)) == nil)
  }
}
