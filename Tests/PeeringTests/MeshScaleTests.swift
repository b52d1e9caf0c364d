import Foundation
import Peering
import Testing

/// Bandwidth of a peer as the network grows: `MESH_BENCH=10,100,1000 swift test -c release --filter MeshScale`.
///
/// Bytes are those on the wire, with 28 for UDP and IP version 4. All peers start at once and know the records of all; 1,000
/// of them take some ten minutes, of which most is that start.
@Suite("Mesh: what a larger network costs each peer")
struct MeshScaleTests {
  private static let second = SimulatedNetwork.second

  /// The sizes that `MESH_BENCH` lists, or for `1` those of the documentation.
  private static let sizes: [Int] = {
    let wanted = ProcessInfo.processInfo.environment["MESH_BENCH"] ?? ""
    return wanted == "1"
      ? [10, 20, 50, 100, 300, 1000] : wanted.split(separator: ",").compactMap { Int($0) }
  }()

  @Test(
    "bytes per second of a peer",
    .enabled(if: ProcessInfo.processInfo.environment["MESH_BENCH"] != nil),
    arguments: sizes
  )
  func scale(_ count: Int) {
    let started = Date()
    let network = SimulatedNetwork(seed: 1)
    network.conditions = .init(delay: 1_000_000...10_000_000)
    var settings = MeshSettings()
    settings.isDiscoverable = false
    network.addAcquainted(count, settings: settings)
    let met = network.run(limit: 300 * Self.second, every: Self.second) {
      network.peers.allSatisfy { $0.mesh.present == count - 1 }
    }
    let joined = total(network)
    network.run(60 * Self.second)
    let before = total(network)
    let seconds = 60
    network.run(UInt64(seconds) * Self.second)
    let idle = total(network)
    let perSecond = Double(idle.bytes - before.bytes) / Double(seconds * count)
    let datagrams = Double(idle.packets - before.packets) / Double(seconds * count)
    let sessions = network.peers.map(\.mesh.connectedCount).reduce(0, +) / count
    var line = "\(count) peers: met \(met.map { $0 / Self.second } ?? 0) s,"
    line += " joining \(joined.bytes / UInt64(count)) B each,"
    line += " idle \(Int(perSecond)) B/s \(String(format: "%.2f", datagrams)) datagrams/s,"
    line += " \(sessions) sessions;"
    line += messages(network, .mesh, perSecond) + messages(network, .auto, perSecond)
    line += " in \(String(format: "%.1f", Date().timeIntervalSince(started))) s"
    print(line)
    #expect(met != nil)
  }

  /// Sends 20 messages of 200 bytes from random peers to others, and says what that cost each peer beyond idling.
  private func messages(
    _ network: SimulatedNetwork,
    _ route: SendOptions.Route,
    _ idle: Double
  ) -> String {
    let count = network.peers.count
    let before = total(network)
    let receipts = network.peers.map(\.receipts.count).reduce(0, +)
    var options = SendOptions()
    options.route = route
    let number = 20
    for message in 0..<number {
      let from = message * 7919 % count
      network.send(
        from: from,
        to: (from + 1 + message * 104_729 % (count - 1)) % count,
        bytes: 200,
        options: options
      )
      network.run(Self.second / 2)
    }
    network.run(5 * Self.second)
    let after = total(network)
    let taken = Double(number) / 2 + 5
    let bytes = Double(after.bytes - before.bytes) - idle * taken * Double(count)
    let delivered = network.peers.map(\.receipts.count).reduce(0, +) - receipts
    let each = bytes / Double(number)
    return
      " \(route.rawValue): \(delivered)/\(number) delivered, \(Int(each)) B per message in all,"
      + " \(Int(each) / count) B each peer;"
  }

  private func total(_ network: SimulatedNetwork) -> (bytes: UInt64, packets: UInt64) {
    network.peers.reduce(into: (0, 0)) { sum, peer in
      let amount = peer.mesh.counters.total
      // What goes over the wire: UDP and IP version 4 add 28 bytes.
      sum.0 += amount.bytesOut + 28 * amount.packetsOut
      sum.1 += amount.packetsOut
    }
  }
}
