import Testing

@testable import Gateway

@Suite("Metrics, text format 0.0.4")
struct MetricsTests {
  private func text(_ registry: MetricsRegistry) -> String {
    var bytes: [UInt8] = []
    registry.write(to: &bytes)
    return String(decoding: bytes, as: UTF8.self)
  }

  @Test func `writes counters, gauges and histograms in order`() throws {
    let registry = MetricsRegistry()
    let size = try registry.define(.histogram, "size_bytes", help: "Size.", owner: "x")
    let hits = try registry.define(
      .counter,
      "hits_total",
      help: "a\\b\nc",
      labels: ["who"],
      owner: "x"
    )
    let heat = try registry.define(.gauge, "heat", help: "Heat.", owner: "x")
    #expect(hits.record(2, ["a\"\\\n"]))
    #expect(hits.record(1, ["a\"\\\n"]))
    #expect(heat.record(-1.5))
    #expect(size.record(256))
    #expect(size.record(257))
    #expect(
      text(registry).split(separator: "\n").prefix(10) == [
        "# HELP heat Heat.", "# TYPE heat gauge", "heat -1.5", "# HELP hits_total a\\\\b\\nc",
        "# TYPE hits_total counter", "hits_total{who=\"a\\\"\\\\\\n\"} 3",
        "# HELP size_bytes Size.",
        "# TYPE size_bytes histogram", "size_bytes_bucket{le=\"256\"} 1",
        "size_bytes_bucket{le=\"1024\"} 2",
      ]
    )
    #expect(
      text(registry).hasSuffix(
        "size_bytes_bucket{le=\"+Inf\"} 2\nsize_bytes_sum 513\nsize_bytes_count 2\n"
      )
    )
  }

  @Test func `refuses what cannot be recorded`() throws {
    let registry = MetricsRegistry()
    let hits = try registry.define(.counter, "hits_total", help: "", labels: ["who"], owner: "x")
    #expect(!hits.record(-1, ["a"]))
    #expect(!hits.record(.nan, ["a"]))
    #expect(!hits.record(.infinity, ["a"]))
    #expect(!hits.record(1, []))
    #expect(!hits.record(1, ["a", "b"]))
  }

  @Test func `counts label combinations past the limit as other`() throws {
    let registry = MetricsRegistry()
    let hits = try registry.define(.counter, "hits_total", help: "", labels: ["who"], owner: "x")
    for number in 0..<(MetricsRegistry.maxSeries + 5) { hits.record(1, ["\(number)"]) }
    #expect(text(registry).contains("hits_total{who=\"99\"} 1\n"))
    #expect(text(registry).contains("hits_total{who=\"other\"} 5\n"))
    #expect(!text(registry).contains("who=\"100\""))
  }

  @Test func `refuses malformed and repeated definitions`() throws {
    let registry = MetricsRegistry()
    _ = try registry.define(.gauge, "taken", help: "", owner: "x")
    let refused: [(String, [String], MetricsRegistry.Refusal)] = [
      ("1a", [], .badName("1a")), ("", [], .badName("")), ("a-b", [], .badName("a-b")),
      ("taken", [], .exists(name: "taken", owner: "x")),
      ("a", ["le"], .badLabel("le")), ("a", ["__x"], .badLabel("__x")),
      ("a", ["b", "b"], .badLabel("b")),
      ("a", ["b", "c", "d", "e", "f"], .tooManyLabels(limit: 4)),
    ]
    for (name, labels, refusal) in refused {
      #expect(throws: refusal) {
        try registry.define(.gauge, name, help: "", labels: labels, owner: "y")
      }
    }
    #expect(throws: MetricsRegistry.Refusal.counterWithoutTotal("a")) {
      try registry.define(.counter, "a", help: "", owner: "y")
    }
    _ = try registry.define(.gauge, "a", help: "", labels: ["b", "c", "d", "e"], owner: "y")
  }

  @Test func `forgets an owner's, and limits how many one has`() throws {
    let registry = MetricsRegistry()
    for number in 0..<MetricsRegistry.maxMetrics {
      _ = try registry.define(.gauge, "m\(number)", help: "", owner: "x")
    }
    #expect(throws: MetricsRegistry.Refusal.tooManyMetrics(limit: MetricsRegistry.maxMetrics)) {
      try registry.define(.gauge, "more", help: "", owner: "x")
    }
    registry.remove(owner: "x")
    #expect(text(registry).isEmpty)
  }

  @Test func `what a plugin counted survives its replacement, unless the metric is another`() throws
  {
    let registry = MetricsRegistry()
    let old = try registry.draft(.counter, "hits_total", help: "", owner: "x")
    #expect(text(registry).isEmpty)
    registry.expose([old], owner: "x")
    old.record(3)
    let same = try registry.draft(.counter, "hits_total", help: "", owner: "x")
    let other = try registry.draft(.counter, "hits_total", help: "", labels: ["who"], owner: "x")
    #expect(same === old && other !== old)
    #expect(throws: MetricsRegistry.Refusal.exists(name: "hits_total", owner: "x")) {
      try registry.draft(.counter, "hits_total", help: "", owner: "y")
    }
    registry.expose([other], owner: "x")
    other.record(1, ["a"])
    #expect(text(registry).contains("hits_total{who=\"a\"} 1\n"))
    #expect(!text(registry).contains("hits_total 3"))
    registry.expose([old], owner: "x")
    #expect(text(registry).contains("hits_total 3\n"))
  }

  @Test func `loses no addition between threads`() throws {
    let registry = MetricsRegistry()
    let hits = try registry.define(.counter, "hits_total", help: "", owner: "x")
    runThreads(4) { for _ in 0..<10_000 { hits.record(1) } }
    #expect(hits.series()?.value == 40_000)
  }
}
