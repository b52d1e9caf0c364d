import Synchronization

/// One metric with all its label combinations.
package final class MetricFamily: Sendable {
  package enum Kind: Sendable { case counter, gauge, histogram }

  package let kind: Kind
  package let name: String
  package let help: String
  package let labels: [String]
  package let owner: String
  private let bounds: [Double]
  private let series = Mutex<[[String]: MetricSeries]>([:])

  init(kind: Kind, name: String, help: String, labels: [String], owner: String) {
    self.kind = kind
    self.name = name
    self.help = help
    self.labels = labels
    self.owner = owner
    bounds =
      if kind != .histogram {
        []
      } else if name.hasSuffix("_bytes") {
        [256, 1024, 4096, 16384, 65536, 262144, 1_048_576, 16_777_216, 268_435_456, 1_073_741_824]
      } else {
        [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30]
      }
  }

  /// What counts for one combination of label values; keep it where the combination does not change.
  ///
  /// - Parameter values: In the order of `labels`.
  /// - Returns: `nil` when there are not as many values as labels.
  package func series(_ values: [String] = []) -> MetricSeries? {
    guard values.count == labels.count else { return nil }
    return series.withLock { series in
      if let known = series[values] { return known }
      let key =
        series.count < MetricsRegistry.maxSeries
        ? values : Array(repeating: "other", count: labels.count)
      if let known = series[key] { return known }
      let new = MetricSeries(kind: kind, bounds: bounds)
      series[key] = new
      return new
    }
  }

  /// Adds to a counter, sets a gauge, or observes into a histogram.
  ///
  /// - Parameters:
  ///   - value: Finite; not below 0 for a counter.
  ///   - values: In the order of `labels`.
  /// - Returns: Whether it was recorded.
  @discardableResult
  package func record(_ value: Double, _ values: [String] = []) -> Bool {
    guard value.isFinite, kind != .counter || value >= 0, let series = series(values) else {
      return false
    }
    series.record(value)
    return true
  }

  func write(to output: inout [UInt8]) {
    let help = Self.escaped(help, quotes: false)
    output += "# HELP \(name) \(help)\n# TYPE \(name) \(kind)\n".utf8
    let sorted = series.withLock { series in
      series.sorted { $0.key.lexicographicallyPrecedes($1.key) }
    }
    for (values, one) in sorted {
      let pairs = zip(labels, values).map { "\($0)=\"\(Self.escaped($1, quotes: true))\"" }
      write(one, pairs: pairs, to: &output)
    }
  }

  private func write(_ series: MetricSeries, pairs: [String], to output: inout [UInt8]) {
    guard kind == .histogram else {
      output += "\(name)\(Self.braced(pairs)) \(Self.number(series.value))\n".utf8
      return
    }
    let distribution = series.distribution
    var total = 0
    for (bound, count) in zip(bounds + [.infinity], distribution.counts) {
      total += count
      let label = "le=\"\(Self.number(bound))\""
      output += "\(name)_bucket\(Self.braced(pairs + [label])) \(total)\n".utf8
    }
    output += "\(name)_sum\(Self.braced(pairs)) \(Self.number(distribution.sum))\n".utf8
    output += "\(name)_count\(Self.braced(pairs)) \(total)\n".utf8
  }

  private static func braced(_ pairs: [String]) -> String {
    pairs.isEmpty ? "" : "{\(pairs.joined(separator: ","))}"
  }

  private static func number(_ value: Double) -> String {
    if value == .infinity { return "+Inf" }
    guard let whole = Int64(exactly: value) else { return "\(value)" }
    return "\(whole)"
  }

  // The text format's three escapes; a quote is only special in a label's value.
  private static func escaped(_ text: String, quotes: Bool) -> String {
    text.reduce(into: "") { result, character in
      switch character {
      case "\\": result += "\\\\"
      case "\n", "\r\n": result += "\\n"
      case "\"" where quotes: result += "\\\""
      default: result.append(character)
      }
    }
  }
}

/// The numbers of one combination of label values; any thread may record.
package final class MetricSeries: Sendable {
  struct Distribution: Sendable {
    /// One for each bound and one for what lies above, not yet summed up.
    var counts: [Int]
    var sum = 0.0
  }

  private let kind: MetricFamily.Kind
  private let bounds: [Double]
  // A Double's bits: there is no atomic Double, and a lock would be held by every request.
  private let bits = Atomic<UInt64>(0)
  private let observed: Mutex<Distribution>

  init(kind: MetricFamily.Kind, bounds: [Double]) {
    self.kind = kind
    self.bounds = bounds
    observed = Mutex(
      Distribution(counts: kind == .histogram ? Array(repeating: 0, count: bounds.count + 1) : [])
    )
  }

  package var value: Double { Double(bitPattern: bits.load(ordering: .relaxed)) }

  var distribution: Distribution { observed.withLock { $0 } }

  /// Adds to a counter, sets a gauge, or observes into a histogram.
  package func record(_ value: Double) {
    switch kind {
    case .gauge: bits.store(value.bitPattern, ordering: .relaxed)
    case .counter: add(value)
    case .histogram:
      let bucket = bounds.firstIndex { value <= $0 } ?? bounds.count
      observed.withLock { observed in
        observed.counts[bucket] += 1
        observed.sum += value
      }
    }
  }

  /// Adds to a counter or a gauge.
  package func add(_ value: Double) {
    var old = bits.load(ordering: .relaxed)
    while true {
      let sum = (Double(bitPattern: old) + value).bitPattern
      let (exchanged, seen) = bits.weakCompareExchange(
        expected: old,
        desired: sum,
        ordering: .relaxed
      )
      if exchanged { return }
      old = seen
    }
  }
}
