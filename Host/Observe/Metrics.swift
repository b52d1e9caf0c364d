import Synchronization

/// Every metric of the process, and its text for Prometheus.
package final class MetricsRegistry: Sendable {
  /// Why a metric was not defined.
  package enum Refusal: Error, Equatable {
    case badName(String)
    case badLabel(String)
    case tooManyLabels(limit: Int)
    case counterWithoutTotal(String)
    case exists(name: String, owner: String)
    case tooManyMetrics(limit: Int)
  }

  /// Labels of one metric.
  package static let maxLabels = 4
  /// Label combinations kept of one metric; further ones are counted together under `other`.
  package static let maxSeries = 100
  /// Metrics of one owner.
  package static let maxMetrics = 256

  private let families = Mutex<[String: MetricFamily]>([:])

  package init() {}

  /// Defines a metric.
  ///
  /// - Parameters:
  ///   - kind: A counter's name must end in `_total`.
  ///   - name: `[a-zA-Z_][a-zA-Z0-9_]*`, not defined yet.
  ///   - help: One sentence.
  ///   - labels: At most four names.
  ///   - owner: The plugin's id, or `gateway`.
  /// - Returns: What values are recorded on.
  /// - Throws: `Refusal`; nothing was defined.
  package func define(
    _ kind: MetricFamily.Kind,
    _ name: String,
    help: String,
    labels: [String] = [],
    owner: String
  ) throws(Refusal) -> MetricFamily {
    let family = try draft(kind, name, help: help, labels: labels, owner: owner)
    let refusal: Refusal? = families.withLock { families in
      if families[name] != nil { return .exists(name: name, owner: owner) }
      guard families.values.count(where: { $0.owner == owner }) < Self.maxMetrics else {
        return .tooManyMetrics(limit: Self.maxMetrics)
      }
      families[name] = family
      return nil
    }
    if let refusal { throw refusal }
    return family
  }

  /// Makes a metric that is shown only once it is exposed; the parameters are those of `define`.
  ///
  /// - Returns: What values are recorded on: the owner's own when it shows one of this kind and these labels, so that
  ///   what a plugin has counted survives its replacement.
  /// - Throws: `Refusal`: malformed, or another owner's.
  package func draft(
    _ kind: MetricFamily.Kind,
    _ name: String,
    help: String,
    labels: [String] = [],
    owner: String
  ) throws(Refusal) -> MetricFamily {
    guard Self.isName(name) else { throw .badName(name) }
    guard kind != .counter || name.hasSuffix("_total") else { throw .counterWithoutTotal(name) }
    guard labels.count <= Self.maxLabels else { throw .tooManyLabels(limit: Self.maxLabels) }
    for (index, label) in labels.enumerated() {
      // `le` is the histogram's own, two leading underscores are Prometheus's.
      guard Self.isName(label), !label.hasPrefix("__"), label != "le",
        !labels[..<index].contains(label)
      else { throw .badLabel(label) }
    }
    if let known = families.withLock({ $0[name] }) {
      guard known.owner == owner else { throw .exists(name: name, owner: known.owner) }
      if known.kind == kind, known.labels == labels { return known }
    }
    return MetricFamily(kind: kind, name: name, help: help, labels: labels, owner: owner)
  }

  /// Shows exactly these of `owner`'s metrics.
  package func expose(_ drafts: [MetricFamily], owner: String) {
    families.withLock { families in
      families = families.filter { $0.value.owner != owner }
      for family in drafts { families[family.name] = family }
    }
  }

  /// Forgets all metrics of `owner`; values recorded on them later go nowhere.
  package func remove(owner: String) {
    families.withLock { families in
      families = families.filter { $0.value.owner != owner }
    }
  }

  /// Appends all metrics in the text format, version 0.0.4, in order of name.
  package func write(to output: inout [UInt8]) {
    let sorted = families.withLock { $0.values.sorted { $0.name < $1.name } }
    for family in sorted { family.write(to: &output) }
  }

  private static func isName(_ name: String) -> Bool {
    guard let first = name.utf8.first, name.utf8.count <= 128 else { return false }
    guard !(UInt8(ascii: "0")...UInt8(ascii: "9")).contains(first) else { return false }
    return name.utf8.allSatisfy { byte in
      switch byte {
      case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
        UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "_"):
        true
      default: false
      }
    }
  }
}

extension MetricsRegistry.Refusal: CustomStringConvertible {
  package var description: String {
    switch self {
    case .badName(let name):
      "'\(name)' is no metric name: letters, digits and '_', not beginning with a digit"
    case .badLabel(let label): "the label '\(label)' is malformed, reserved, or stands twice"
    case .tooManyLabels(let limit): "a metric has at most \(limit) labels"
    case .counterWithoutTotal(let name): "the counter '\(name)' must be named '\(name)_total'"
    case .exists(let name, let owner): "the metric '\(name)' is defined already, by \(owner)"
    case .tooManyMetrics(let limit): "one owner defines at most \(limit) metrics"
    }
  }
}
