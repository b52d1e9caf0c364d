import Testing

@testable import Gateway

@Suite("When a process is started again") struct BreakerTests {
  private static let steady = Breaker.steadyTime

  @Test func `each death in a row waits twice as long, up to a limit`() {
    var breaker = Breaker()
    var waits: [Int64] = []
    for _ in 0..<12 {
      breaker.started(now: 0)
      waits.append(breaker.died(now: 1) - 1)
    }
    #expect(waits[0] == Breaker.firstWait)
    for index in 1..<waits.count {
      #expect(waits[index] == min(2 * waits[index - 1], Breaker.longestWait))
    }
    #expect(waits.last == Breaker.longestWait)
  }

  @Test func `it opens at the death that is one too many and not before`() {
    var breaker = Breaker()
    for death in 1...Breaker.tolerance {
      breaker.started(now: 0)
      #expect(breaker.state == .closed)
      let admits1 = breaker.admits()
      #expect(admits1)
      _ = breaker.died(now: 1)
      #expect((breaker.state == .open) == (death == Breaker.tolerance))
    }
    let admits2 = breaker.admits()
    #expect(!admits2)
  }

  private func opened() -> Breaker {
    var breaker = Breaker()
    for _ in 0..<Breaker.tolerance {
      breaker.started(now: 0)
      _ = breaker.died(now: 1)
    }
    return breaker
  }

  @Test func `half-open lets one request through at a time, and its answer closes it`() {
    var breaker = opened()
    breaker.started(now: 2)
    #expect(breaker.state == .halfOpen)
    let admits3 = breaker.admits()
    #expect(admits3)
    let admits4 = breaker.admits()
    #expect(!admits4)
    breaker.ended(wasAnswered: false)
    #expect(breaker.state == .halfOpen)
    let admits5 = breaker.admits()
    #expect(admits5)
    breaker.ended(wasAnswered: true)
    #expect(breaker.state == .closed)
    let admits6 = breaker.admits()
    #expect(admits6)
    let admits7 = breaker.admits()
    #expect(admits7)
  }

  @Test func `a death while half-open opens it again, and waits longer`() {
    var breaker = opened()
    breaker.started(now: 0)
    let wait = breaker.died(now: 0)
    #expect(breaker.state == .open)
    #expect(wait == Breaker.firstWait << Int64(Breaker.tolerance))
  }

  @Test func `a steady life is forgiven what was before, to the nanosecond`() {
    for (age, deaths) in [(Self.steady - 1, 3), (Self.steady, 1)] {
      var breaker = Breaker()
      for _ in 0..<2 {
        breaker.started(now: 0)
        _ = breaker.died(now: 1)
      }
      breaker.started(now: 100)
      _ = breaker.died(now: 100 + age)
      #expect(breaker.deaths == deaths)
    }
  }

  @Test func `nobody needs to ask for a breaker to close over a steady process`() {
    var breaker = opened()
    breaker.started(now: 0)
    breaker.look(now: Self.steady - 1)
    #expect(breaker.state == .halfOpen)
    breaker.look(now: Self.steady)
    #expect(breaker.state == .closed)
    #expect(breaker.deaths == 0)
  }
}
