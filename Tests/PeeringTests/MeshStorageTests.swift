import Peering
import Testing

@Suite("Mesh: messages that cannot be stored, or are sent late")
struct MeshStorageTests {
  @Test("a message that was taken back is not confirmed, and is delivered when it comes again")
  func takenBack() {
    let network = SimulatedNetwork(seed: 3)
    network.addAcquainted(2)
    network.run(SimulatedNetwork.second)
    // What leaves together with a message that is not stored does not leave.
    network.refuses = { $0 == 1 }
    let id = network.send(from: 0, to: 1)
    network.run(3 * SimulatedNetwork.second)
    #expect(network.peers[0].receipts.isEmpty)
    let refused = network.peers[1].received.count
    #expect(refused > 1, "it was given out anew with every sending")
    network.refuses = { _ in false }
    network.run(10 * SimulatedNetwork.second)
    #expect(network.peers[0].receipts == [id])
    #expect(network.peers[1].received.count == refused + 1)
  }

  @Test("a message of fifty minutes ago is sent and delivered, one of two hours ago is not")
  func late() {
    let network = SimulatedNetwork(seed: 4)
    network.addAcquainted(2)
    network.run(SimulatedNetwork.second)
    for (minutes, isSent) in [(50, true), (120, false)] as [(UInt64, Bool)] {
      let message = PeerMessage(
        id: [UInt8](repeating: UInt8(minutes), count: 16),
        sender: network.peers[0].id,
        recipient: network.peers[1].id,
        user: "",
        senderUser: "",
        kind: "text",
        priority: 5,
        sentAt: network.now.wall - minutes * 60_000,
        payload: [1]
      )
      network.with(0) { $0.mesh.send(message, roster: $0.roster, now: network.now) }
      network.run(SimulatedNetwork.second)
      #expect(network.peers[0].receipts.contains(message.id) == isSent)
      #expect(network.peers[0].undelivered == (isSent ? [] : [.refused]))
    }
  }

  @Test("a message to all that is sent as soon as peers have met reaches them")
  func broadcastAtOnce() {
    let network = SimulatedNetwork(seed: 5)
    network.addAcquainted(3)
    network.run(SimulatedNetwork.second / 1000)
    for other in [1, 2] {
      network.with(0) {
        $0.mesh.connect(
          network.peers[other].endpoint,
          expecting: network.peers[other].id,
          now: network.now
        )
      }
    }
    network.run(SimulatedNetwork.second / 10)
    network.send(from: 0, to: nil)
    network.run(SimulatedNetwork.second / 5)
    #expect(network.peers[1].received.count == 1 && network.peers[2].received.count == 1)
  }
}
