import Testing

@testable import AgentForge

@Suite("Random numbers")
struct GeneratorTests {
  @Test("the same seed gives the same numbers, another seed others")
  func theSameSeedGivesTheSameNumbers() {
    var one = Generator(seed: 7)
    var same = Generator(seed: 7)
    var other = Generator(seed: 8)
    let first = (0..<8).map { _ in one.next() }
    #expect(first == (0..<8).map { _ in same.next() })
    #expect(first != (0..<8).map { _ in other.next() })
  }

  @Test("normal numbers have mean 0 and deviation 1")
  func normalNumbersHaveMeanZeroAndDeviationOne() {
    var generator = Generator(seed: 1)
    let drawn = (0..<20_000).map { _ in generator.normal() }
    let mean = drawn.reduce(0, +) / Double(drawn.count)
    let variance = drawn.map { ($0 - mean) * ($0 - mean) }.reduce(0, +) / Double(drawn.count)
    #expect(abs(mean) < 0.03)
    #expect(abs(variance - 1) < 0.04)
  }
}
