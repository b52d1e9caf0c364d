import PluginStorage
import Testing

@testable import Utilities

/// A question, and words that the right passage holds.
struct Asked: Sendable, CustomTestStringConvertible {
  let question: String
  let file: String
  let words: String
  var testDescription: String { question }
}

@Suite("Answers from uploaded documents")
struct QueryEngineTests {
  static let names = [
    "handbook.md", "beekeeping.html", "animals.csv", "observatory.json", "expedition.txt",
  ]

  static func library(_ folder: Folder) throws -> Documents {
    let documents = try Documents.temporary(folder)
    for name in names { try documents.add(document: name) }
    return documents
  }

  static func ask(
    _ documents: Documents,
    _ query: String,
    mode: QueryMode = .comprehensive,
    owner: String = "ada",
    _ change: (inout QueryEngine.Request) -> Void = { _ in }
  ) throws -> Reply {
    var request = QueryEngine.Request(query: query, mode: mode, filter: .init(owner: owner))
    change(&request)
    return try QueryEngine(database: documents.database).answer(request)
  }

  static let questions = [
    Asked(question: "How long can I keep a book?", file: "handbook.md", words: "kept for 21 days"),
    Asked(question: "What is the fine for late books?", file: "handbook.md", words: "10 cents"),
    Asked(
      question: "What do I do when paper is jammed in the printer?",
      file: "handbook.md",
      words: "rear flap"
    ),
    Asked(
      question: "When does the library close on Thursdays?",
      file: "handbook.md",
      words: "Closes: 20:00"
    ),
    Asked(question: "Who lets me use the telescope?", file: "handbook.md", words: "Ada Brandt"),
    Asked(
      question: "How do I prevent swarming?",
      file: "beekeeping.html",
      words: "remove queen cells every nine days"
    ),
    Asked(
      question: "How much sugar syrup for winter feeding?",
      file: "beekeeping.html",
      words: "15 kg of sugar syrup"
    ),
    Asked(
      question: "linden yield kilograms",
      file: "beekeeping.html",
      words: "Kilograms per hive: 12"
    ),
    Asked(
      question: "When does the tortoise hibernate?",
      file: "animals.csv",
      words: "hibernates from November to March"
    ),
    Asked(
      question: "Who made the spectrograph?",
      file: "observatory.json",
      words: "Fernrohr GmbH"
    ),
    Asked(
      question: "How fast does the glacier move?",
      file: "expedition.txt",
      words: "60 metres a year"
    ),
    Asked(question: "who repaired the compass", file: "expedition.txt", words: "Dr. Halvorsen"),
    Asked(question: "harbour of Tromso", file: "expedition.txt", words: "Tromsø"),
  ]

  @Test func `finds the passage that answers, in every mode`() throws {
    let folder = Folder()
    let documents = try Self.library(folder)
    for asked in Self.questions {
      for mode in QueryMode.allCases {
        let reply = try Self.ask(documents, asked.question, mode: mode)
        #expect(
          reply.answer.contains(asked.words),
          "\(mode) \(asked.question): \(reply.answer) \(reply.explanation)"
        )
        #expect(reply.sources.first?.hit.filename == asked.file, "\(mode) \(asked.question)")
        #expect(reply.answer.contains("[1]"))
        // The observatory's own text has paths like `instruments[1]`.
        let isJSON = asked.file.hasSuffix(".json")
        #expect(isJSON || !reply.answerWithoutNumbers.contains("[1]"))
        #expect(reply.confidence > 0.2 && reply.confidence <= 1, "\(asked.question)")
        for source in reply.sources { #expect((0...1).contains(source.relevance)) }
      }
    }
  }

  @Test func `every sentence of an answer stands in the documents`() throws {
    let folder = Folder()
    let documents = try Self.library(folder)
    for asked in Self.questions {
      let reply = try Self.ask(documents, asked.question, mode: .analytical)
      let bodies = try documents.database.read { (connection) throws(StorageError) in
        try connection.rows("SELECT body FROM passages") { $0.text(0) }
      }
      let stored = bodies.joined(separator: " ").split(whereSeparator: \.isWhitespace)
        .joined(separator: " ")
      for sentence in Sentences.split(reply.answerWithoutNumbers) {
        #expect(stored.contains(sentence), "\(sentence)")
      }
    }
  }

  @Test(arguments: [
    "quantum chromodynamics", "zzzz", "Wie heißt der Papst?", "?!", "", "   ", "\u{0}", "😀",
  ])
  func `says when nothing is found, with confidence 0 and no sources`(_ query: String) throws {
    let folder = Folder()
    let documents = try Self.library(folder)
    for mode in QueryMode.allCases {
      let reply = try Self.ask(documents, query, mode: mode)
      #expect(reply.confidence == 0)
      #expect(reply.sources.isEmpty)
      #expect(reply.answer == "Nothing in your documents answers this question.")
      #expect(!reply.explanation.isEmpty)
    }
  }

  @Test func `confidence is 0 exactly when there are no sources`() throws {
    let folder = Folder()
    let documents = try Self.library(folder)
    let words = ["book", "fine", "hive", "glacier", "xyzzy", "moon", "the", "compass", "2"]
    for first in words {
      for second in words {
        for mode in QueryMode.allCases {
          let reply = try Self.ask(documents, "\(first) \(second)", mode: mode)
          #expect((reply.confidence == 0) == reply.sources.isEmpty, "\(first) \(second) \(mode)")
        }
      }
    }
  }

  @Test(arguments: [
    "book OR 1=1", "\"", "book\"", "NEAR(", "body:fine", "-fine", "fine*", "owner_key : x",
    "') OR 1=1 --", "{heading body} : fine", "fine AND NOT book", "^fine", "(((", "fine + book",
    "\"fine\" \"", "AND", "OR OR", "NOT", "fine \u{0} book", "'; DROP TABLE passages; --",
  ])
  func `what FTS5 would read as an operator is only text`(_ query: String) throws {
    let folder = Folder()
    let documents = try Self.library(folder)
    for mode in QueryMode.allCases { _ = try Self.ask(documents, query, mode: mode) }
    #expect(try documents.totals().files == Self.names.count)
    let stranger = try Self.ask(documents, query, owner: "mallory")
    #expect(stranger.sources.isEmpty)
  }

  @Test func `an owner finds nothing of another's`() throws {
    let folder = Folder()
    let documents = try Self.library(folder)
    try documents.add(Array("The fine for bob is 99 euros.".utf8), "bob.txt", owner: "bob")
    let bob = try Self.ask(documents, "What is the fine?", owner: "bob")
    #expect(bob.sources.map(\.hit.filename) == ["bob.txt"])
    let ada = try Self.ask(documents, "What is the fine for bob?")
    #expect(!ada.answer.contains("99"))
    #expect(try Self.ask(documents, "What is the fine?", owner: "").confidence == 0)
    #expect(try Self.ask(documents, "What is the fine?", owner: "ad").confidence == 0)
  }

  @Test func `weights come from the owner's documents alone`() throws {
    let alone = Folder()
    let crowded = Folder()
    let one = try Self.library(alone)
    let other = try Self.library(crowded)
    for number in 0..<20 {
      try other.add(Array("fine book \(number)".utf8), "\(number).txt", owner: "bob")
    }
    let question = "What is the fine for late books?"
    #expect(try Self.ask(one, question).confidence == Self.ask(other, question).confidence)
  }

  @Test func `modes differ in reach and length`() throws {
    let folder = Folder()
    let documents = try Self.library(folder)
    let question = "How is the telescope used at night and what is its mirror?"
    let replies = try QueryMode.allCases.map { try Self.ask(documents, question, mode: $0) }
    let lengths = Set(replies.map(\.answer))
    #expect(lengths.count >= 3)
    let fast = try Self.ask(documents, question, mode: .fast)
    let creative = try Self.ask(documents, question, mode: .creative)
    #expect(fast.sources.count < creative.sources.count)
    #expect(fast.answer.utf8.count < creative.answer.utf8.count)
  }

  @Test func `filters leave out what they do not name`() throws {
    let folder = Folder()
    let documents = try Self.library(folder)
    let labelled = try documents.add(
      Array("The telescope was sold.".utf8),
      "note.txt"
    ) {
      $0.category = "news"
      $0.tags = ["mill", "roof"]
    }.file
    func names(_ change: (inout SearchIndex.Filter) -> Void) throws -> Set<String> {
      let reply = try Self.ask(documents, "telescope") { change(&$0.filter) }
      return Set(reply.sources.map(\.hit.filename))
    }
    #expect(try names { _ in }.count == 3)
    #expect(try names { $0.category = "news" } == ["note.txt"])
    #expect(try names { $0.tags = ["roof"] } == ["note.txt"])
    #expect(try names { $0.tags = ["roof", "cellar"] } == [])
    #expect(try names { $0.files = [labelled.id] } == ["note.txt"])
    #expect(try names { $0.documentTypes = ["application/json"] } == ["observatory.json"])
    let strict = try Self.ask(documents, "telescope") { $0.leastRelevance = 1 }
    #expect(strict.confidence == 0)
    let single = try Self.ask(documents, "telescope") { $0.maxResults = 1 }
    #expect(single.sources.count == 1)
  }

  @Test func `the same text twice is one source`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    try documents.add(Array("The well is 30 metres deep.".utf8), "a.txt")
    try documents.add(Array("The well is 30 metres deep.".utf8), "b.txt")
    #expect(try Self.ask(documents, "How deep is the well?").sources.count == 1)
  }

  @Test func `a phrase in quotation marks comes first where it stands as such`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    try documents.add(Array("A red door. The old house and its windows.".utf8), "a.txt")
    try documents.add(Array("The door is old and red.".utf8), "b.txt")
    let reply = try Self.ask(documents, "\"red door\" old")
    #expect(reply.sources.first?.hit.filename == "a.txt")
  }
}
