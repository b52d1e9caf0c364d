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

  @Test(
    "a message and its receipt go around a path that swallows both, though a session stands there"
  )
  func swallowed() {
    let network = SimulatedNetwork(seed: 6)
    network.addAcquainted(3)
    network.run(3 * SimulatedNetwork.second)
    network.passes = { from, to in Set([from, to]) != [0, 1] }
    let id = network.send(from: 0, to: 1)
    network.run(5 * SimulatedNetwork.second)
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

  @Test("a new name and endpoint reach the others")
  func renamed() throws {
    let network = SimulatedNetwork(seed: 8)
    network.addAcquainted(5)
    network.run(5 * SimulatedNetwork.second)
    let elsewhere = SimulatedNetwork.endpoint(900)
    network.with(2) { $0.mesh.rename(endpoint: elsewhere, name: "new", now: network.now) }
    network.run(3 * SimulatedNetwork.second)
    let id = network.peers[2].id
    for peer in network.peers where peer.index != 2 {
      let record = try #require(peer.roster.record(of: id))
      #expect(record.name == "new" && record.endpoint == elsewhere)
    }
    #expect(network.peers[2].actions.contains(.record(network.peers[2].mesh.record)))
  }

  @Test("a peer that moves to another address goes on where it is")
  func moved() {
    let network = SimulatedNetwork(seed: 9)
    network.addAcquainted(3)
    network.run(5 * SimulatedNetwork.second)
    network.move(1, to: SimulatedNetwork.endpoint(901))
    network.run(3 * SimulatedNetwork.second)
    let id = network.send(from: 0, to: 1)
    network.run(SimulatedNetwork.second)
    #expect(network.peers[1].received.map(\.id) == [id])
    #expect(
      network.peers[0].mesh.endpoint(of: network.peers[1].id) == SimulatedNetwork.endpoint(901)
    )
  }

  @Test("a peer that has lost its memory is spoken with again at once")
  func restarted() {
    let network = SimulatedNetwork(seed: 10)
    network.addAcquainted(4)
    network.run(5 * SimulatedNetwork.second)
    network.restart(1)
    network.run(3 * SimulatedNetwork.second)
    let there = network.send(from: 0, to: 1)
    let back = network.send(from: 1, to: 2)
    network.run(2 * SimulatedNetwork.second)
    #expect(network.peers[1].received.map(\.id) == [there])
    #expect(network.peers[2].received.map(\.id) == [back])
  }
}
