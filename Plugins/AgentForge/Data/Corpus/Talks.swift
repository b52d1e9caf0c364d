/// Dialogues between a person and the assistant.
enum Talks {
  /// Questions on facts, one to four of them.
  static func facts(_ speech: inout Speech) -> [Turn] {
    if speech.once(in: 3) { return topic(&speech) }
    return talk(&speech, 1...4) { speech in
      let fact = speech.pick(Fact.all)
      return (speech.pick(fact.questions), reply(&speech, fact.statement))
    }
  }

  /// Questions on one topic, in which the later ones lean on the first.
  private static func topic(_ speech: inout Speech) -> [Turn] {
    let (_, facts) = speech.pick(Fact.topics)
    let first = speech.pick(facts)
    var turns = [Turn(.user, speech.pick(first.questions)), Turn(.assistant, first.statement)]
    let others = facts.filter { $0.statement != first.statement && $0.followUp != nil }
    for fact in speech.several(speech.number(1...3), of: others) {
      turns += [Turn(.user, fact.followUp ?? ""), Turn(.assistant, fact.statement)]
    }
    return framed(&speech, turns)
  }

  /// Sums, one to four of them.
  static func sums(_ speech: inout Speech) -> [Turn] { talk(&speech, 1...4, Sums.exchange) }

  /// Requests for lists.
  static func lists(_ speech: inout Speech) -> [Turn] { talk(&speech, 1...2, Lists.exchange) }

  /// Who put what where.
  static func scenes(_ speech: inout Speech) -> [Turn] { talk(&speech, 1...2, Lists.scene) }

  /// A bit of each.
  static func mixture(_ speech: inout Speech) -> [Turn] {
    talk(&speech, 2...4) { speech in
      switch speech.generator.below(5) {
      case 0, 1:
        let fact = speech.pick(Fact.all)
        return (speech.pick(fact.questions), fact.statement)
      case 2: return claim(&speech)
      case 3: return Lists.exchange(&speech)
      default: return Sums.exchange(&speech)
      }
    }
  }

  /// A story that is asked for.
  static func story(_ speech: inout Speech) -> [Turn] {
    let (text, hero, about) = Stories.tell(&speech)
    let request = speech.say(
      "Tell me a story about \(hero.name).",
      "Can you tell me a story about \(hero.name)?",
      "Please tell me a story about \(about).",
      "I would like to hear a story about \(hero.name).",
      "Tell me a story about \(hero.name) and \(about).",
      "Write a short story about \(about)."
    )
    return framed(&speech, [Turn(.user, request), Turn(.assistant, text)])
  }

  /// Something that is so, or is not, and whether it is.
  private static func claim(_ speech: inout Speech) -> (question: String, answer: String) {
    let isTrue = speech.once(in: 2)
    switch speech.generator.below(3) {
    case 0:
      let animals = speech.several(2, of: Animal.all)
      let one = English.a(animals[0].name)
      return (
        "Does \(one) say \(animals[isTrue ? 0 : 1].sound)?",
        "\(isTrue ? "Yes" : "No"), \(one) says \(animals[0].sound)."
      )
    case 1:
      let pairs = speech.several(2, of: Lore.capitals)
      let city = isTrue ? pairs[0][1] : pairs[1][1]
      return (
        "Is \(city) the capital of \(pairs[0][0])?",
        "\(isTrue ? "Yes" : "No"), the capital of \(pairs[0][0]) is \(pairs[0][1])."
      )
    default:
      let things = speech.several(2, of: Thing.all)
      let kind = isTrue ? things[0].kind : things[1].kind
      let one = English.a(things[0].name)
      return (
        "Is \(one) \(English.a(kind))?",
        "\(kind == things[0].kind ? "Yes" : "No"), \(one) is \(English.a(things[0].kind))."
      )
    }
  }

  private static func reply(_ speech: inout Speech, _ statement: String) -> String {
    if speech.once(in: 8) { return "That is easy. \(statement)" }
    return speech.once(in: 12) ? "Let me think. \(statement)" : statement
  }

  private static func talk(
    _ speech: inout Speech,
    _ length: ClosedRange<Int>,
    _ exchange: (inout Speech) -> (question: String, answer: String)
  ) -> [Turn] {
    let turns = (0..<speech.number(length)).flatMap { _ in
      let (question, answer) = exchange(&speech)
      return [Turn(.user, question), Turn(.assistant, answer)]
    }
    return framed(&speech, turns)
  }

  /// The turns, at times with instructions and a greeting before them and thanks after.
  private static func framed(_ speech: inout Speech, _ turns: [Turn]) -> [Turn] {
    var framed: [Turn] = []
    if speech.once(in: 10) {
      let instruction = speech.say(
        "You are a helpful assistant.",
        "Answer in short and simple sentences.",
        "Be friendly and honest."
      )
      framed.append(Turn(.system, instruction))
    }
    if speech.once(in: 6) {
      let greeting = speech.say(
        "Hello!",
        "Hi!",
        "Good morning!",
        "Good evening!",
        "Hello, how are you?"
      )
      let answer =
        greeting.hasSuffix("?")
        ? "I am fine, thank you. What would you like to know?"
        : "\(greeting == "Hi!" ? "Hello!" : greeting) How can I help you?"
      framed += [Turn(.user, greeting), Turn(.assistant, answer)]
    }
    framed += turns
    if speech.once(in: 6) {
      let thanks = speech.say("Thank you.", "Thanks!", "Thank you, goodbye.", "That was helpful.")
      let answer = thanks.contains("goodbye") ? "You are welcome. Goodbye!" : "You are welcome."
      framed += [Turn(.user, thanks), Turn(.assistant, answer)]
    }
    return framed
  }
}
