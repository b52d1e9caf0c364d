import GatewayPlugin
import Peering
import PluginStorage

/// What the network contributes to the health.
extension PeerService {
  /// Seconds after which a peer that does not answer is no news any more.
  private static let lostFor = 3600

  /// Degraded, never unhealthy, when peers are lost: the gateway itself serves on.
  func health() -> Health {
    let status = network.status
    let reachable = status.peers.count(where: \.isReachable)
    let lost = status.peers.count { peer in
      (peer.state == "dead" || peer.state == "suspect") && (peer.stateSeconds ?? 0) < Self.lostFor
    }
    let detail: [JSON.Member] = [
      .init(name: "node_id", value: .string("\(identity.id)")),
      .init(name: "peers", value: .integer(Int64(status.peers.count))),
      .init(name: "reachable", value: .integer(Int64(reachable))),
      .init(name: "lost", value: .integer(Int64(lost))),
      .init(name: "active_circuits", value: .integer(Int64(status.activeCircuits))),
    ]
    func degraded(_ reason: String) -> Health {
      .degraded(.object(detail + [.init(name: "reason", value: .string(reason))]))
    }
    guard status.isRunning else {
      return isStarting ? .healthy(.object(detail)) : degraded("the network does not run")
    }
    // The reason itself may name paths; it is in the log.
    if failure != nil { return degraded("what peers send cannot be stored") }
    if (try? hasRoom()) == false {
      return degraded("less is free on the disk than min_free_bytes; no message is taken")
    }
    if lost > 0 { return degraded("\(lost) of \(status.peers.count) peers do not answer") }
    return .healthy(.object(detail))
  }
}
