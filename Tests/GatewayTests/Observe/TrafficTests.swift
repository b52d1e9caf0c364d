import Testing

@testable import Gateway

@Suite("Answers by class")
struct TrafficTests {
  @Test(
    arguments: [
      (101, "1xx"), (199, "1xx"), (200, "2xx"), (299, "2xx"), (300, "3xx"), (304, "3xx"),
      (399, "3xx"), (400, "4xx"), (499, "4xx"), (500, "5xx"), (599, "5xx"),
    ] as [(UInt16, String)]
  )
  func `a status counts in its class alone`(_ status: UInt16, _ name: String) {
    let traffic = Traffic()
    traffic.count(status: status)
    let counted = traffic.byClass
    #expect(counted.map(\.name) == ["1xx", "2xx", "3xx", "4xx", "5xx"])
    #expect(counted.filter { $0.count == 1 }.map(\.name) == [name])
    #expect(counted.reduce(0) { $0 + $1.count } == 1)
  }

  @Test func `loses no answer between threads`() {
    let traffic = Traffic()
    runThreads(4) { for _ in 0..<10_000 { traffic.count(status: 204) } }
    #expect(traffic.byClass[1].count == 40_000)
  }
}
