/// Requests for lists, and small scenes with a question.
enum Lists {
  /// One request and what answers it.
  static func exchange(_ speech: inout Speech) -> (question: String, answer: String) {
    switch speech.generator.below(6) {
    case 0, 1: things(&speech)
    case 2: animals(&speech)
    case 3: words(&speech)
    case 4: market(&speech)
    default: sorted(&speech)
    }
  }

  private static func kinds(_ kind: String) -> String {
    kind.hasPrefix("piece of") ? "pieces" + kind.dropFirst(5) : English.plural(kind)
  }

  private static func asked(_ speech: inout Speech, _ kinds: String, _ words: [String]) -> (
    String, String
  ) {
    let count = speech.number(2...min(4, words.count))
    let chosen = speech.several(count, of: words)
    let number = English.number(count)
    let question = speech.say(
      "Name \(number) \(kinds).",
      "Tell me \(number) \(kinds).",
      "Can you name \(number) \(kinds)?",
      "Give me a list of \(number) \(kinds)."
    )
    if question.hasPrefix("Give") {
      let lines = chosen.enumerated().map { "\($0 + 1). \($1)" }
      return (question, lines.joined(separator: "\n"))
    }
    return (question, "\(English.sentence(number)) \(kinds) are \(English.list(chosen)).")
  }

  private static func things(_ speech: inout Speech) -> (String, String) {
    let kind = speech.pick(Thing.kinds)
    let words = (Thing.byKind[kind] ?? []).map { English.a($0.name) }
    return asked(&speech, kinds(kind), words)
  }

  private static func animals(_ speech: inout Speech) -> (String, String) {
    if speech.once(in: 2) {
      let homes = [
        "on a farm", "in the forest", "in the savanna", "in the grass", "on a pond", "in a stable",
      ]
      let home = speech.pick(homes)
      let words = Animal.all.filter { $0.home == home }.map { English.a($0.name) }
      return asked(&speech, "animals that live \(home)", words)
    }
    let legs = speech.pick([2, 4, 6])
    let words = Animal.all.filter { $0.legs == legs }.map { English.a($0.name) }
    return asked(&speech, "animals with \(English.number(legs)) legs", words)
  }

  private static func words(_ speech: inout Speech) -> (String, String) {
    switch speech.generator.below(4) {
    case 0: return asked(&speech, "colours", Lore.colours)
    case 1: return asked(&speech, "days of the week", Lore.days)
    case 2: return asked(&speech, "capitals", Lore.capitals.map { $0[1] })
    default:
      let season = speech.pick(["spring", "summer", "autumn", "winter"])
      return asked(
        &speech,
        "months of \(season)",
        Lore.months.filter { $0[2] == season }.map { $0[0] }
      )
    }
  }

  private static func market(_ speech: inout Speech) -> (String, String) {
    let person = speech.pick(Person.all)
    let goods = ((Thing.byKind["fruit"] ?? []) + (Thing.byKind["vegetable"] ?? [])).map(\.name)
    let bought = speech.several(speech.number(2...4), of: goods)
      .map { English.count(speech.number(1...9), $0) }
    let name = person.name
    return (
      "\(name) bought \(English.list(bought)). Write it as a list.",
      bought.map { "- \($0)" }.joined(separator: "\n")
    )
  }

  private static func sorted(_ speech: inout Speech) -> (String, String) {
    let numbers = (0..<speech.number(3...5)).map { _ in speech.number(0...20) }
    let down = speech.once(in: 3)
    let order = down ? numbers.sorted(by: >) : numbers.sorted()
    let written = numbers.map(String.init).joined(separator: ", ")
    return (
      "Sort these numbers from \(down ? "large to small" : "small to large"): \(written).",
      order.map(String.init).joined(separator: ", ")
    )
  }

  /// A few sentences on who put what where, a question on them, and its answer.
  static func scene(_ speech: inout Speech) -> (question: String, answer: String) {
    let people = speech.several(2, of: Person.all)
    let things = speech.several(
      2,
      of: ["ball", "book", "key", "cup", "hat", "coin", "letter", "apple", "kite"]
    )
    let colours = speech.several(2, of: Lore.colours)
    let places = speech.several(
      3,
      of: [
        "in the box", "on the table", "under the bed", "behind the door", "in the basket",
        "on the shelf", "in the bag", "under the chair", "in the garden", "by the window",
      ]
    )
    var told = [
      "\(people[0].name) put the \(colours[0]) \(things[0]) \(places[0]).",
      "\(people[1].name) put the \(colours[1]) \(things[1]) \(places[1]).",
    ]
    var at = places[0]
    if speech.once(in: 2) {
      at = places[2]
      told.append("Then \(people[1].name) moved the \(colours[0]) \(things[0]); now it is \(at).")
    }
    let (question, answer): (String, String) =
      switch speech.generator.below(4) {
      case 0, 1: ("Where is the \(things[0])?", "The \(things[0]) is \(at).")
      case 2: ("What colour is the \(things[1])?", "The \(things[1]) is \(colours[1]).")
      default:
        (
          "Who put the \(things[1]) \(places[1])?",
          "\(people[1].name) put the \(things[1]) \(places[1])."
        )
      }
    return (told.joined(separator: " ") + " " + question, answer)
  }
}
