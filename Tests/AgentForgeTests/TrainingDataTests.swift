import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("What phases learn from and measure on")
struct TrainingDataTests {
  @Test("of the generated corpus no seed and no focus trains on what another holds out")
  func nothingHeldOutIsTrainedOn() {
    let some = [1, 2, 3].map { TrainingData(seed: $0, focus: .mixed) }
    let held = Set(some.flatMap(\.heldOut))
    for data in some + [TrainingData(seed: 2, focus: .arithmetic)] {
      #expect(data.documents.allSatisfy { !held.contains($0) })
      let share = Double(data.heldOut.count) / Double(data.documents.count)
      #expect((0.03...0.12).contains(share), "\(share)")
    }
    #expect(some[0].heldOut == TrainingData(seed: 1, focus: .stories).heldOut)
  }
}
