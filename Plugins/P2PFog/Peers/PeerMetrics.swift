import GatewayPlugin
import Peering
import Synchronization

/// What operators see of the network, in Prometheus' form.
struct PeerMetrics: Sendable {
  private let peers: Gauge
  private let links: Gauge
  private let circuits: Gauge
  private let bytes: [(name: String, counter: Counter)]
  private let shown = Shown()

  /// Defines them; in the plugin's `init`.
  init(_ host: Host) throws {
    peers = try host.metrics.gauge("p2p_peers_reachable", "Peers that messages reach now.")
    links = try host.metrics.gauge("p2p_links", "Links of the overlay.")
    circuits = try host.metrics.gauge(
      "p2p_circuits_active",
      "Circuits that this peer has built."
    )
    bytes = [
      (
        "mesh_sent",
        try host.metrics.counter("p2p_mesh_bytes_sent_total", "Bytes of datagrams sent.")
      ),
      (
        "mesh_received",
        try host.metrics.counter(
          "p2p_mesh_bytes_received_total",
          "Bytes of datagrams received."
        )
      ),
      (
        "overlay_sent",
        try host.metrics.counter("p2p_overlay_bytes_sent_total", "Bytes sent over links.")
      ),
      (
        "overlay_received",
        try host.metrics.counter(
          "p2p_overlay_bytes_received_total",
          "Bytes received over links."
        )
      ),
    ]
  }

  /// Shows a status; at most once at a time.
  func show(_ status: NetworkStatus) {
    peers.set(Double(status.peers.count(where: \.isReachable)))
    links.set(Double(status.peers.count(where: \.hasLink)))
    circuits.set(Double(status.activeCircuits))
    let now = [
      "mesh_sent": status.meshCount("bytes_sent"),
      "mesh_received": status.meshCount("bytes_received"),
      "overlay_sent": status.overlayCount("bytes_sent"),
      "overlay_received": status.overlayCount("bytes_received"),
    ]
    for (name, counter) in bytes {
      let grown = shown.advance(name, to: now[name] ?? 0)
      if grown > 0 { counter.add(Double(grown)) }
    }
  }
}

/// What the counters have been told already.
private final class Shown: Sendable {
  private let values = Mutex<[String: UInt64]>([:])

  /// By how much a value has grown; one that fell has begun anew.
  func advance(_ name: String, to value: UInt64) -> UInt64 {
    values.withLock { values in
      let before = values[name] ?? 0
      values[name] = value
      return value >= before ? value - before : value
    }
  }
}
