import CGatewayPlugin
import Synchronization

/// `gw.metrics/1`.
enum MetricsInterface {
  // Unchecked: constant after it is made.
  nonisolated(unsafe) static let table = unsafe InterfaceDirectory.keep(
    gw_metrics_v1(
      define: { context, kind, name, help, labels, count, metric in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          guard let kind = MetricsInterface.kind(kind), let name = unsafe name.text,
            let labels = unsafe texts(labels, count)
          else { return GW_E_ARGUMENT }
          let help = unsafe help.text(cutAt: 512)
          return instance.declare { declared in
            do throws(MetricsRegistry.Refusal) {
              guard declared.metrics.count < MetricsRegistry.maxMetrics else {
                throw .tooManyMetrics(limit: MetricsRegistry.maxMetrics)
              }
              let family = try instance.host.metrics.draft(
                kind,
                name,
                help: help,
                labels: labels,
                owner: instance.id
              )
              guard instance.claim(.metric(name), "metric \(name)") else { return GW_E_ARGUMENT }
              // The context's generation makes a number of an earlier instance a stale one.
              unsafe metric.pointee = gw_metric(
                v: (context.v >> 32) << 32 | UInt64(declared.metrics.count + 1)
              )
              declared.metrics.append(family)
              return GW_OK
            } catch {
              instance.setError("\(error)")
              if case .tooManyMetrics = error { return GW_E_LIMIT }
              return GW_E_ARGUMENT
            }
          }
        }
      },
      record: { context, metric, value, labels, count in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          let index = Int(metric.v & 0xFFFF_FFFF) - 1
          let family = instance.declared.withLock { declared in
            metric.v >> 32 == context.v >> 32 && declared.metrics.indices.contains(index)
              ? declared.metrics[index] : nil
          }
          guard let family else { return GW_E_GONE }
          guard let values = unsafe texts(labels, count) else { return GW_E_ARGUMENT }
          return family.record(value, values) ? GW_OK : GW_E_ARGUMENT
        }
      }
    )
  )

  /// Bytes of one label's value; more is cut.
  private static let valueBytes = 128

  private static func kind(_ number: Int32) -> MetricFamily.Kind? {
    switch number {
    case GW_COUNTER: .counter
    case GW_GAUGE: .gauge
    case GW_HISTOGRAM: .histogram
    default: nil
    }
  }

  private static func texts(_ start: UnsafePointer<gw_bytes>?, _ count: Int) -> [String]? {
    if count == 0 { return [] }
    guard let start = unsafe start, count <= MetricsRegistry.maxLabels else { return nil }
    return unsafe UnsafeBufferPointer(start: start, count: count).map { bytes in
      unsafe bytes.text(cutAt: valueBytes)
    }
  }
}
