import Testing

@testable import AgentForge

@Suite("The corpus of our own making")
struct CorpusTests {
  @Test(
    "no document stands twice, all are UTF-8 and as many bytes as asked for",
    arguments: Corpus.Focus.allCases
  )
  func noDocumentStandsTwice(_ focus: Corpus.Focus) {
    let documents = Corpus.documents(seed: 1, bytes: 100_000, focus: focus)
    #expect(Set(documents).count == documents.count)
    let texts = documents.flatMap(\.texts)
    #expect(texts.allSatisfy { !$0.isEmpty && String(validating: $0, as: UTF8.self) != nil })
    let size = texts.reduce(0) { $0 + $1.count }
    #expect((100_000..<103_000).contains(size))
  }

  @Test("a seed decides it: the same gives the same, more bytes go on from fewer")
  func aSeedDecidesIt() {
    let documents = Corpus.documents(seed: 5, bytes: 20_000)
    #expect(documents == Corpus.documents(seed: 5, bytes: 20_000))
    #expect(documents[...] == Corpus.documents(seed: 5, bytes: 40_000).prefix(documents.count))
    #expect(Set(documents).isDisjoint(with: Corpus.documents(seed: 6, bytes: 300).prefix(1)))
    #expect(Corpus.documents(seed: 5, bytes: 0).isEmpty)
  }

  @Test("dialogues alternate, and the assistant has the last word")
  func dialoguesAlternate() {
    var dialogues = 0
    let documents = Corpus.documents(seed: 2, bytes: 60_000)
    for case .dialogue(var turns) in documents {
      dialogues += 1
      if turns.first?.role == .system { turns.removeFirst() }
      #expect(turns.count % 2 == 0 && !turns.isEmpty)
      #expect(turns.enumerated().allSatisfy { $1.role == ($0 % 2 == 0 ? .user : .assistant) })
    }
    #expect(dialogues * 10 > documents.count * 8)
  }

  @Test("the sums in it are right")
  func theSumsAreRight() {
    var checked = 0
    for case .dialogue(let turns) in Corpus.documents(seed: 3, bytes: 60_000, focus: .arithmetic) {
      for turn in turns where turn.role == .assistant {
        let words = turn.content.split(whereSeparator: { " .\n".contains($0) })
        guard words.count >= 5, words[3] == "=" || words[3] == "is", let one = Int(words[0]),
          let other = Int(words[2]), let result = Int(words[4])
        else { continue }
        switch words[1] {
        case "+", "plus": #expect(one + other == result, "\(turn.content)")
        case "-", "minus": #expect(one - other == result, "\(turn.content)")
        case "x", "times": #expect(one * other == result, "\(turn.content)")
        default: continue
        }
        checked += 1
      }
    }
    #expect(checked > 200)
  }

  @Test("each focus has more of its own")
  func eachFocusHasMoreOfItsOwn() {
    func share(_ focus: Corpus.Focus, _ isOwn: (Document) -> Bool) -> Double {
      let documents = Corpus.documents(seed: 4, bytes: 60_000, focus: focus)
      let own = documents.filter(isOwn).flatMap(\.texts).reduce(0) { $0 + $1.count }
      return Double(own) / 60_000
    }
    func isStory(_ document: Document) -> Bool { document.texts.contains { $0.count > 250 } }
    func isSum(_ document: Document) -> Bool {
      document.texts.joined().count { (48...57).contains($0) } >= 6
    }
    #expect(share(.stories, isStory) > share(.mixed, isStory) + 0.15)
    #expect(share(.arithmetic, isSum) > share(.mixed, isSum) + 0.15)
    #expect(share(.facts, isStory) < share(.mixed, isStory))
    #expect(share(.facts, isSum) < share(.mixed, isSum))
  }

  @Test(
    "the tables are whole: friends are mutual, facts have a question each and topics more than one fact"
  )
  func theTablesAreWhole() {
    for person in Person.all { #expect(Person.named[person.friend]?.friend == person.name) }
    #expect(Set(Animal.all.map(\.name)).count == Animal.all.count)
    #expect(Set(Thing.all.map(\.name)).count == Thing.all.count)
    #expect(Fact.all.allSatisfy { !$0.questions.isEmpty && $0.statement.hasSuffix(".") })
    #expect(Fact.topics.count > 50)
    // One question, one answer, or a model could not learn it.
    var answers: [String: Set<String>] = [:]
    for fact in Fact.all {
      for question in fact.questions { answers[question, default: []].insert(fact.statement) }
    }
    for (question, given) in answers { #expect(given.count == 1, "\(question)") }
  }

  @Test("word forms are English")
  func wordFormsAreEnglish() {
    #expect(English.a("apple") == "an apple")
    #expect(English.a("unicycle") == "a unicycle")
    #expect(English.count(1, "box") == "1 box")
    #expect(English.count(2, "cherry") == "2 cherries")
    #expect(English.plural("monkey") == "monkeys")
    #expect(English.list(["a"]) == "a")
    #expect(English.list(["a", "b", "c"]) == "a, b and c")
  }
}
