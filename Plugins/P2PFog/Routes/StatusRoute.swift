import GatewayPlugin
import Peering
import PluginStorage

/// `GET /v1/p2p/status`: what the network of this gateway is and does.
struct StatusRoute {
  let service: PeerService

  /// The route.
  var route: Route {
    .get(
      "/v1/p2p/status",
      scope: .read,
      summary: "Show this peer's identity, transports, routes and traffic",
      answer: .object([
        "status": .string(allowed: ["operational", "unavailable"]), "node_id": .string(),
        "bitchat": .object(["connected": .boolean(), "status": .string()]),
        "betanet": .object(["connected": .boolean(), "active_circuits": .integer()]),
      ])
    ) { [service] _ in
      .data(Self.json(service), message: "P2P status retrieved")
    }
  }

  static func json(_ service: PeerService) -> JSON {
    let status = service.network.status
    let now = UInt64(Clock.wall() / 1_000_000)
    let uptime = status.isRunning ? Double(now - min(now, status.startedAt)) / 1000 : 0
    return [
      "status": status.isRunning ? "operational" : "unavailable",
      "node_id": .string("\(service.identity.id)"),
      "name": .string(service.settings.network.name),
      "endpoint": status.advertised.map { .string("\($0)") } ?? .null,
      "uptime_seconds": .number(uptime),
      "peer_count": .integer(Int64(status.peers.count)),
      "bitchat": bitchat(status),
      "betanet": betanet(status),
      "transports": transports(status),
      "routing_table": [
        "direct_routes": .integer(Int64(status.peers.count { $0.hasSession })),
        "mesh_routes": .integer(Int64(status.peers.count { $0.isReachable && !$0.hasSession })),
        "circuits": .integer(Int64(status.activeCircuits)),
      ],
      "performance": [
        "messages_sent": number(
          status.meshCount("messages_sent") + status.overlayCount("messages_sent")
        ),
        "messages_received": number(
          status.meshCount("messages_received") + status.overlayCount("messages_received")
        ),
        "bytes_sent": number(status.meshCount("bytes_sent") + status.overlayCount("bytes_sent")),
        "bytes_received": number(
          status.meshCount("bytes_received") + status.overlayCount("bytes_received")
        ),
        "uptime_seconds": .number(uptime),
      ],
      "network_health": [
        "average_latency_ms": latency(status.peers.compactMap(\.latencyMicroseconds)),
        "average_loss": mean(status.peers.compactMap(\.loss)),
      ],
    ]
  }

  private static func bitchat(_ status: NetworkStatus) -> JSON {
    let isConnected = status.isRunning && status.peers.contains(where: \.isReachable)
    return .object(
      [
        .init(name: "connected", value: .bool(isConnected)),
        .init(name: "status", value: status.isRunning ? "online" : "offline"),
        .init(name: "peers", value: .integer(Int64(status.peers.count(where: \.isReachable)))),
      ] + status.mesh.map { .init(name: $0.name, value: number($0.value)) }
    )
  }

  private static func betanet(_ status: NetworkStatus) -> JSON {
    let links = status.peers.count(where: \.hasLink)
    return .object(
      [
        .init(name: "connected", value: .bool(status.isRunning && links > 0)),
        .init(name: "status", value: status.isRunning ? "online" : "offline"),
        .init(name: "active_circuits", value: .integer(Int64(status.activeCircuits))),
        .init(name: "relayed_circuits", value: .integer(Int64(status.relayedCircuits))),
        .init(name: "links", value: .integer(Int64(links))),
      ] + status.overlay.map { .init(name: $0.name, value: number($0.value)) }
    )
  }

  private static func transports(_ status: NetworkStatus) -> JSON {
    [
      "bitchat": [
        "status": status.isRunning ? "active" : "offline",
        "peers": .integer(Int64(status.peers.count(where: \.isReachable))),
        "latency_ms": latency(status.peers.compactMap(\.latencyMicroseconds)),
      ],
      "betanet": [
        "status": status.isRunning ? "active" : "offline",
        "peers": .integer(Int64(status.peers.count(where: \.hasLink))),
        "latency_ms": latency(status.peers.compactMap(\.linkLatencyMicroseconds)),
      ],
    ]
  }

  private static func number(_ value: UInt64) -> JSON { .integer(Int64(clamping: value)) }

  /// The mean in milliseconds; null where nothing was measured.
  private static func latency(_ microseconds: [Int]) -> JSON {
    mean(microseconds.map { Double($0) / 1000 })
  }

  private static func mean(_ values: [Double]) -> JSON {
    values.isEmpty ? .null : .number(values.reduce(0, +) / Double(values.count))
  }
}

extension NetworkStatus.Peer {
  /// Whether messages reach it now, over others or not.
  var isReachable: Bool { state == "alive" || state == "suspect" }

  /// What is shown of it.
  var json: JSON {
    [
      "peer_id": .string("\(record.id)"), "name": .string(record.name),
      "endpoint": .string("\(record.endpoint)"), "status": .string(state),
      "transports": .array(
        (isReachable ? [.string("bitchat")] : []) + (hasLink ? [.string("betanet")] : [])
      ),
      "route": .string(hasSession ? "direct" : isReachable ? "mesh" : "none"),
      "latency_ms": milliseconds(latencyMicroseconds), "loss": loss.map { .number($0) } ?? .null,
      "link_latency_ms": milliseconds(linkLatencyMicroseconds),
    ]
  }

  private func milliseconds(_ microseconds: Int?) -> JSON {
    microseconds.map { .number(Double($0) / 1000) } ?? .null
  }
}
