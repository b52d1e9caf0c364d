import Peering
import Testing

@Suite("Mesh: messages between peers")
struct MeshDeliveryTests {
  @Test("two peers that know each other find a session and a message is delivered with its receipt")
  func two() {
    let network = SimulatedNetwork(seed: 1)
    network.addAcquainted(2)
    network.run(SimulatedNetwork.second)
    let id = network.send(from: 0, to: 1)
    network.run(SimulatedNetwork.second)
    #expect(network.peers[1].received.map(\.id) == [id])
    #expect(network.peers[0].receipts == [id])
  }

  @Test("20 peers at 5 % loss: of 2,000 messages at least 99.9 % are delivered, each once")
  func loss() {
    let network = SimulatedNetwork(seed: 2)
    network.conditions = .init(loss: 0.05, duplication: 0.01, delay: 1_000_000...30_000_000)
    network.addAcquainted(20)
    network.run(5 * SimulatedNetwork.second)
    var sent: [[UInt8]: Int] = [:]
    for number in 0..<2000 {
      let from = number % 20
      let to = (from + 1 + number / 20 % 19) % 20
      sent[network.send(from: from, to: to, bytes: number % 10 == 0 ? 5000 : 200)] = to
      network.run(5_000_000)
    }
    network.run(60 * SimulatedNetwork.second)
    var delivered = 0
    for peer in network.peers {
      let ids = peer.received.map(\.id)
      #expect(Set(ids).count == ids.count)
      delivered += ids.filter { sent[$0] == peer.index }.count
    }
    let receipts = network.peers.map(\.receipts.count).reduce(0, +)
    print("delivered \(delivered) of 2000, receipts \(receipts)")
    #expect(delivered >= 1998)
    #expect(receipts >= 1998)
  }
}
