import PluginStorage
import Testing

@testable import Utilities

@Suite("Passages along a document's structure")
struct ChunkerTests {
  static func passages(_ blocks: [Block]) throws -> [Passage] {
    var chunker = Chunker()
    var found: [Passage] = []
    for block in blocks {
      try chunker.add(block) { (passage) throws(StorageError) in found.append(passage) }
    }
    try chunker.finish { (passage) throws(StorageError) in found.append(passage) }
    #expect(found.map(\.ordinal) == Array(0..<found.count))
    #expect(chunker.passages == found.count)
    return found
  }

  static func block(_ kind: Block.Kind, _ text: String, page: Int? = nil) -> Block {
    Block(kind, text, start: 0, end: text.utf8.count, line: 1, page: page)
  }

  @Test func `headings divide and stay with what is under them`() throws {
    let found = try Self.passages([
      Self.block(.heading(level: 1), "A"), Self.block(.paragraph, "one"),
      Self.block(.heading(level: 2), "B"), Self.block(.paragraph, "two"),
      Self.block(.heading(level: 2), "C"), Self.block(.heading(level: 1), "D"),
      Self.block(.paragraph, "three"),
    ])
    #expect(found.map(\.headings) == [["A"], ["A", "B"], ["A", "C"], ["D"]])
    #expect(found.map(\.body) == ["one", "two", "C", "three"])
  }

  @Test func `blocks are gathered up to the target and none is cut that fits`() throws {
    let paragraph = Array(repeating: "word", count: 70).joined(separator: " ") + "."
    let found = try Self.passages(Array(repeating: Self.block(.paragraph, paragraph), count: 7))
    #expect(found.map(\.words) == [210, 210, 70])
  }

  @Test func `a long paragraph is cut between sentences`() throws {
    let sentence =
      "The mill has " + Array(repeating: "very", count: 26).joined(separator: " ") + " old stones."
    let text = Array(repeating: sentence, count: 20).joined(separator: " ")
    let found = try Self.passages([Self.block(.paragraph, text)])
    #expect(found.count > 3)
    for passage in found {
      #expect(passage.words <= Chunker.maxWords)
      #expect(passage.body.hasPrefix("The mill") && passage.body.hasSuffix("stones."))
    }
    #expect(found.reduce(0) { $0 + $1.words } == PlainWords.count(text))
  }

  @Test func `text without sentences or spaces is bounded all the same`() throws {
    let words = Array(repeating: "word", count: 1000).joined(separator: " ")
    let solid = String(repeating: "ä", count: 20_000)
    let found = try Self.passages([Self.block(.paragraph, words), Self.block(.paragraph, solid)])
    for passage in found {
      #expect(passage.words <= Chunker.maxWords)
      #expect(passage.body.utf8.count <= Chunker.maxBytes)
    }
    let joined = found.map(\.body).joined()
    #expect(joined.unicodeScalars.count { $0 == "ä" } == 20_000)
  }

  @Test func `long code keeps its lines`() throws {
    let line = "let value = compute(first, second) + other // and so on it goes"
    let code = Array(repeating: line, count: 60).joined(separator: "\n")
    let found = try Self.passages([Self.block(.code, code)])
    #expect(found.count > 2)
    for passage in found {
      #expect(passage.body.split(separator: "\n").allSatisfy { $0 == line })
    }
  }

  @Test func `a passage stays on its page`() throws {
    let found = try Self.passages([
      Self.block(.paragraph, "one", page: 1), Self.block(.paragraph, "two", page: 2),
    ])
    #expect(found.map(\.page) == [1, 2])
  }

  @Test(arguments: [
    ("One. Two! Three?", ["One.", "Two!", "Three?"]),
    ("Dr. Smith came at 3.5 km. He left.", ["Dr. Smith came at 3.5 km.", "He left."]),
    ("See e.g. Berlin. J. Doe agrees.", ["See e.g. Berlin.", "J. Doe agrees."]),
    ("He said \"Go.\" Then he went.", ["He said \"Go.\"", "Then he went."]),
    ("Wait... what? yes", ["Wait... what? yes"]), ("a\nb", ["a", "b"]), ("", []), (" \n ", []),
    ("In 1998. Then more.", ["In 1998.", "Then more."]), ("v1.2 is out.", ["v1.2 is out."]),
  ])
  func `sentences end where a reader ends them`(_ text: String, _ sentences: [String]) {
    #expect(Sentences.split(text) == sentences)
  }
}
