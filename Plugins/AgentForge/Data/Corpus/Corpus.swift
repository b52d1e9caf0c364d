/// What a model learns when nothing else is given: texts that a seed makes from our own tables and grammars.
///
/// Most of it are dialogues, so that a model trained on it can be talked to: facts, sums, lists, small scenes with a
/// question, and stories that are asked for. Its people are the same everywhere.
package enum Corpus {
  /// Which kind of text weighs more.
  package enum Focus: String, CaseIterable, Sendable {
    case mixed, stories, facts, arithmetic
  }

  /// The most bytes that are made at once.
  package static let limit = 64 << 20

  private enum Kind: CaseIterable {
    case story, storyTalk, factTalk, sumTalk, listTalk, sceneTalk, mixedTalk, factText
  }

  /// Documents of together at least `bytes` bytes of text, no two of them equal.
  ///
  /// - Parameters:
  ///   - seed: The same seed gives the same documents; more bytes give the same ones and further ones.
  ///   - bytes: 0...`limit`.
  ///   - focus: Which kinds weigh more.
  /// - Returns: The documents, all UTF-8.
  package static func documents(seed: UInt64, bytes: Int, focus: Focus = .mixed) -> [Document] {
    precondition((0...limit).contains(bytes), "\(bytes) bytes")
    let kinds = drawn(from: focus)
    var speech = Speech(generator: Generator(seed: seed, stream: 0x434F_5250_5553))
    var documents: [Document] = []
    var known: Set<Document> = []
    var size = 0
    while size < bytes {
      let document = make(speech.pick(kinds), &speech)
      guard known.insert(document).inserted else { continue }
      documents.append(document)
      size += document.texts.reduce(0) { $0 + $1.count }
    }
    return documents
  }

  /// The kinds, each as often as it weighs.
  private static func drawn(from focus: Focus) -> [Kind] {
    Kind.allCases.flatMap { kind in Array(repeating: kind, count: weight(of: kind, focus)) }
  }

  private static func weight(of kind: Kind, _ focus: Focus) -> Int {
    switch (kind, focus) {
    case (.story, .stories), (.storyTalk, .stories): 6
    case (.factTalk, .facts): 16
    case (.factText, .facts): 3
    case (.sumTalk, .arithmetic): 20
    case (.listTalk, .arithmetic): 4
    case (.factTalk, .mixed), (.sumTalk, .mixed): 4
    case (.story, .mixed): 1
    case (.factText, _), (.story, _): 1
    default: 2
    }
  }

  private static func make(_ kind: Kind, _ speech: inout Speech) -> Document {
    switch kind {
    case .story: .plain(Array(Stories.tell(&speech).text.utf8))
    case .storyTalk: .dialogue(Talks.story(&speech))
    case .factTalk: .dialogue(Talks.facts(&speech))
    case .sumTalk: .dialogue(Talks.sums(&speech))
    case .listTalk: .dialogue(Talks.lists(&speech))
    case .sceneTalk: .dialogue(Talks.scenes(&speech))
    case .mixedTalk: .dialogue(Talks.mixture(&speech))
    case .factText: .plain(Array(factText(&speech).utf8))
    }
  }

  /// Two topics, each told in some sentences.
  private static func factText(_ speech: inout Speech) -> String {
    speech.several(2, of: Fact.topics)
      .map { topic in
        speech.several(speech.number(3...6), of: topic.facts).map(\.statement).joined(
          separator: " "
        )
      }
      .joined(separator: "\n")
  }
}
