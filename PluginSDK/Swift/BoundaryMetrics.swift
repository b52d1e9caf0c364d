internal import CGatewayPlugin

/// Numbers for operators, in Prometheus's terms.
///
/// Defined in `init` only.
///
/// A gateway without metrics gives handles that record nothing.
public struct Metrics: Sendable {
  let host: Host

  /// Whether this gateway keeps metrics.
  public var isAvailable: Bool { unsafe host.tables.metrics != nil }

  /// A number that only grows.
  ///
  /// - Parameters:
  ///   - name: Ends in `_total`.
  ///   - help: One sentence.
  ///   - labels: Names, at most 4.
  /// - Returns: The handle.
  /// - Throws: What the gateway refused.
  public func counter(
    _ name: String,
    _ help: String,
    labels: [String] = []
  ) throws(HostRefusal) -> Counter {
    Counter(metric: try define(GW_COUNTER, name, help, labels))
  }

  /// A number that is set.
  ///
  /// - Parameters:
  ///   - name: With its unit, like `queue_bytes`.
  ///   - help: One sentence.
  ///   - labels: Names, at most 4.
  /// - Returns: The handle.
  /// - Throws: What the gateway refused.
  public func gauge(
    _ name: String,
    _ help: String,
    labels: [String] = []
  ) throws(HostRefusal) -> Gauge {
    Gauge(metric: try define(GW_GAUGE, name, help, labels))
  }

  /// A spread of seconds or bytes.
  ///
  /// - Parameters:
  ///   - name: Ends in `_seconds` or `_bytes`.
  ///   - help: One sentence.
  ///   - labels: Names, at most 4.
  /// - Returns: The handle.
  /// - Throws: What the gateway refused.
  public func histogram(
    _ name: String,
    _ help: String,
    labels: [String] = []
  ) throws(HostRefusal) -> Histogram {
    Histogram(metric: try define(GW_HISTOGRAM, name, help, labels))
  }

  private func define(
    _ kind: Int32,
    _ name: String,
    _ help: String,
    _ labels: [String]
  ) throws(HostRefusal) -> Metric {
    var id = gw_metric(v: 0)
    guard let table = unsafe host.tables.metrics else { return Metric(host: host, id: id) }
    let status = unsafe lend(name) { name in
      unsafe lend(help) { help in
        unsafe lend(labels) { labels, count in
          unsafe table.pointee.define(host.tables.context, kind, name, help, labels, count, &id)
        }
      }
    }
    try HostRefusal.check(status, GW_METRICS_1)
    return Metric(host: host, id: id)
  }
}

struct Metric: Sendable {
  let host: Host
  let id: gw_metric

  func record(_ value: Double, _ labels: [String]) {
    guard host.isLive, let table = unsafe host.tables.metrics else { return }
    // A refused number is a fault in the plugin that must not fail the request it stands for.
    _ = unsafe lend(labels) { labels, count in
      unsafe table.pointee.record(host.tables.context, id, value, labels, count)
    }
  }
}

/// A number that only grows.
public struct Counter: Sendable {
  let metric: Metric

  /// Adds `amount`, never below 0, for the label values in the order of the names.
  public func add(_ amount: Double = 1, _ labels: String...) { metric.record(amount, labels) }
}

/// A number that is set.
public struct Gauge: Sendable {
  let metric: Metric

  /// Sets `value` for the label values in the order of the names.
  public func set(_ value: Double, _ labels: String...) { metric.record(value, labels) }
}

/// A spread of seconds or bytes.
public struct Histogram: Sendable {
  let metric: Metric

  /// Observes `value` for the label values in the order of the names.
  public func observe(_ value: Double, _ labels: String...) { metric.record(value, labels) }

  /// Observes a time in seconds for the label values in the order of the names.
  public func observe(_ time: Duration, _ labels: String...) {
    let parts = time.components
    metric.record(Double(parts.seconds) + Double(parts.attoseconds) / 1e18, labels)
  }
}
