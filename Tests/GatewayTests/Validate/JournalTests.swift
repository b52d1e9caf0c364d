import CLinux
import Glibc
import Testing

@testable import Gateway

@Suite("What a test's child tells its parent")
struct JournalTests {
  private func written(_ body: (Journal) -> Void) throws -> [UInt8] {
    var ends: [CInt] = [0, 0]
    try #require(linux_pipe(&ends) == 0)
    let input = Descriptor(adopting: ends[0])
    do {
      let output = Descriptor(adopting: ends[1])
      body(Journal(output: output.raw))
    }
    var bytes = [UInt8](repeating: 0, count: 65_536)
    return Array(bytes[..<read(input.raw, &bytes, bytes.count)])
  }

  @Test func `the last step and the outcome arrive`() throws {
    let bytes = try written { journal in
      journal.step("one")
      journal.step("two \"quoted\"\n")
      journal.end(.failed, ["a", "b", "a"])
    }
    let (step, end) = Journal.read(bytes)
    #expect(step == "two \"quoted\"\n")
    #expect(end?.verdict == .failed)
    #expect(end?.sentences == ["a", "b"])
  }

  @Test func `what is cut off at any byte has no outcome, and the last whole step`() throws {
    let bytes = try written { journal in
      journal.step("one")
      journal.end(.passed, [])
    }
    let first = try #require(bytes.firstIndex(of: 0x0A))
    for count in 0..<(bytes.count - 1) {
      let (step, end) = Journal.read(Array(bytes.prefix(count)))
      #expect(end == nil)
      #expect(step == (count >= first ? "one" : nil))
    }
  }

  @Test func `of many sentences the first are shown and the rest counted`() throws {
    let bytes = try written { $0.end(.failed, (1...40).map { "fault \($0)" }) }
    let sentences = try #require(Journal.read(bytes).end?.sentences)
    #expect(sentences.count == 13)
    #expect(sentences.last == "… and 28 more of the kind.")
  }
}

@Suite("Random numbers of a seed")
struct SeededRandomTests {
  @Test func `are the same for the same seed and test, and others for others`() {
    func first(_ seed: UInt64, _ name: String) -> [UInt8] {
      var random = SeededRandom(seed: seed, name: name)
      return random.bytes(33)
    }
    #expect(first(1, "a") == first(1, "a"))
    #expect(first(1, "a") != first(2, "a"))
    #expect(first(1, "a") != first(1, "b"))
    #expect(first(1, "a").count == 33)
  }
}
