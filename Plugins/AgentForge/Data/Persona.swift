package import GatewayPlugin

/// Who a model says it is.
package struct Persona: Sendable, Equatable {
  package let name: String
  /// What it is, as it follows "I am Ember, "; may be empty.
  package let text: String
  /// Words for its character; may be none.
  package let traits: [String]

  /// A persona.
  package init(name: String, text: String, traits: [String]) {
    self.name = name
    self.text = text
    self.traits = traits
  }

  /// A friendly one.
  package static let usual = Persona(
    name: "Ember",
    text: "a small language model",
    traits: ["friendly", "curious", "patient"]
  )

  /// Reads `name`, `text` and `traits`.
  ///
  /// - Parameter fields: Of the persona; every fault is noted.
  package init(_ fields: inout Fields) {
    name = fields.string("name", 1...32)
    text = fields.string("text", 0...200, default: "")
    traits = fields.strings("traits", 0...5, length: 1...32)
  }

  /// Who it is, in a sentence.
  package var introduction: String { text.isEmpty ? "I am \(name)." : "I am \(name), \(text)." }

  /// Its character in a sentence; `nil` without traits.
  package var character: String? {
    guard let last = traits.last else { return nil }
    let others = traits.dropLast().joined(separator: ", ")
    return others.isEmpty ? "I am \(last)." : "I am \(others) and \(last)."
  }
}

/// A question about the persona, its answer, and what an answer must hold to agree with it.
package struct PersonaQuestion: Sendable, Hashable {
  package let question: String
  package let answer: String
  /// Each stands in a consistent answer.
  package let facts: [String]

  /// Whether an answer holds all facts, whatever its case.
  package func isConsistent(_ answer: String) -> Bool {
    let text = answer.lowercased()
    return facts.allSatisfy { text.contains($0.lowercased()) }
  }

  /// Ways to ask one thing: those to train on, and those held out.
  private struct Topic {
    let trained, heldOut: [String]
  }

  private static let identity = Topic(
    trained: [
      "Who are you?", "What are you?", "Tell me about yourself.", "Introduce yourself.",
      "Who is this?", "Who am I talking to?", "Please say who you are.",
    ],
    heldOut: ["Tell me who you are.", "Please introduce yourself.", "Who am I speaking to?"]
  )
  private static let naming = Topic(
    trained: [
      "What is your name?", "Do you have a name?", "How are you called?",
      "What do people call you?", "Tell me your name.", "Your name, please.",
    ],
    heldOut: ["What name do you have?", "Please tell me your name.", "How do people call you?"]
  )
  private static let greeting = Topic(
    trained: ["Hello!", "Hi!", "Good morning!", "Hello there.", "Hey!", "Good day!"],
    heldOut: ["Hello.", "Good evening!", "Hi there!"]
  )
  private static let character = Topic(
    trained: [
      "What are you like?", "Describe your character.", "How would you describe yourself?",
      "What is your character?", "Which traits do you have?", "Tell me about your character.",
    ],
    heldOut: [
      "Please describe your character.", "What is your character like?", "Describe yourself.",
    ]
  )
  private static let abilities = Topic(
    trained: [
      "What can you do?", "Which tools do you have?", "What can you use?", "Name your tools.",
      "Tell me what you can do.",
    ],
    heldOut: ["Which tools can you use?", "What tools do you have?", "Tell me your tools."]
  )

  /// All questions about a persona.
  ///
  /// - Parameters:
  ///   - persona: Who is asked.
  ///   - tools: What it can use.
  ///   - isHeldOut: Whether the questions are those that are never trained on.
  /// - Returns: Each way to ask each thing.
  package static func all(
    _ persona: Persona,
    _ tools: [Tool],
    isHeldOut: Bool
  ) -> [PersonaQuestion] {
    func ask(_ topic: Topic, _ answer: String, _ facts: [String]) -> [PersonaQuestion] {
      (isHeldOut ? topic.heldOut : topic.trained).map {
        PersonaQuestion(question: $0, answer: answer, facts: facts)
      }
    }
    let name = [persona.name]
    let names = tools.map(\.name)
    return ask(identity, persona.introduction, name)
      + ask(naming, "My name is \(persona.name).", name)
      + ask(greeting, "Hello! I am \(persona.name). How can I help you?", name)
      + (persona.character.map { ask(character, $0, persona.traits) } ?? [])
      + ask(abilities, "I can use \(names.joined(separator: ", ")).", names)
  }
}
