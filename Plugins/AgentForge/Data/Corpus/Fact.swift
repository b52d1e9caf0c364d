/// One thing to know, and how one asks for it.
struct Fact: Sendable {
  /// What it is about, as `a cow`; facts on one topic are told together.
  let topic: String
  /// A whole sentence that needs no question to be understood.
  let statement: String
  /// Ways to ask; each is answered by the statement.
  let questions: [String]
  /// A way to ask when the topic was just spoken of, as `And what does it eat?`.
  let followUp: String?

  init(_ topic: String, _ statement: String, _ questions: [String], followUp: String? = nil) {
    self.topic = topic
    self.statement = statement
    self.questions = questions
    self.followUp = followUp
  }

  /// All facts, always in the same order.
  static let all: [Fact] = {
    var facts: [Fact] = Person.all.flatMap(about)
    facts += Animal.all.flatMap(about)
    facts += Thing.all.flatMap(about)
    for row in Lore.capitals { facts += capital(row[0], row[1]) }
    for row in Lore.opposites { facts += [opposite(row[0], row[1]), opposite(row[1], row[0])] }
    for row in Lore.work { facts += work(row[0], row[1], row[2]) }
    facts += calendar
    for row in Lore.general { facts.append(Fact(row[1], row[1], [row[0]])) }
    return facts
  }()

  /// Topics with at least three facts, and these.
  static let topics: [(topic: String, facts: [Fact])] = {
    let grouped = Dictionary(grouping: all, by: \.topic).filter { $0.value.count >= 3 }
    return grouped.keys.sorted().map { ($0, grouped[$0] ?? []) }
  }()

  private static func about(_ person: Person) -> [Fact] {
    let name = person.name
    let he = person.he
    return [
      Fact(
        name,
        "\(name) is \(English.a(person.work)) and lives \(person.home).",
        ["Who is \(name)?", "Tell me about \(name)."]
      ),
      Fact(
        name,
        "\(name) lives \(person.home).",
        ["Where does \(name) live?", "Do you know where \(name) lives?"],
        followUp: "And where does \(he) live?"
      ),
      Fact(
        name,
        "\(name) is \(English.a(person.work)).",
        ["What is \(name)'s work?", "What does \(name) do for a living?"],
        followUp: "And what does \(he) do for a living?"
      ),
      Fact(
        name,
        "\(name) has \(English.a(person.pet)) called \(person.petName).",
        [
          "What animal does \(name) have?", "What is the name of \(name)'s \(person.pet)?",
          "Does \(name) have an animal?",
        ],
        followUp: "And does \(he) have an animal?"
      ),
      Fact(
        name,
        "\(name) likes to eat \(person.food).",
        ["What does \(name) like to eat?", "What is \(name)'s favourite food?"],
        followUp: "And what does \(he) like to eat?"
      ),
      Fact(
        name,
        "\(name)'s favourite colour is \(person.colour).",
        ["What is \(name)'s favourite colour?", "Which colour does \(name) like best?"],
        followUp: "And what is \(person.his) favourite colour?"
      ),
      Fact(
        name,
        "\(name) enjoys \(person.hobby).",
        ["What does \(name) enjoy?", "What does \(name) do in the evening?"],
        followUp: "And what does \(he) enjoy?"
      ),
      Fact(
        name,
        "\(name)'s best friend is \(person.friend).",
        ["Who is \(name)'s best friend?", "Who is the friend of \(name)?"],
        followUp: "And who is \(person.his) best friend?"
      ),
    ]
  }

  private static func about(_ animal: Animal) -> [Fact] {
    let one = English.a(animal.name)
    let start = English.sentence(one)
    let legs = animal.legs == 0 ? "no legs" : "\(English.number(animal.legs)) legs"
    return [
      Fact(
        one,
        "\(start) is \(animal.look).",
        ["What is \(one) like?", "Tell me about \(one)."]
      ),
      Fact(
        one,
        "\(start) says \(animal.sound).",
        ["What sound does \(one) make?", "What does \(one) say?"],
        followUp: "And what sound does it make?"
      ),
      Fact(
        one,
        "\(start) lives \(animal.home).",
        ["Where does \(one) live?", "Where can I find \(one)?"],
        followUp: "And where does it live?"
      ),
      Fact(
        one,
        "\(start) eats \(animal.food).",
        ["What does \(one) eat?", "What should I feed to \(one)?"],
        followUp: "And what does it eat?"
      ),
      Fact(
        one,
        "\(start) has \(legs).",
        ["How many legs does \(one) have?"],
        followUp: "And how many legs does it have?"
      ),
      Fact(
        one,
        "A young \(animal.name) is called \(English.a(animal.young)).",
        ["What is a young \(animal.name) called?", "What do we call a young \(animal.name)?"],
        followUp: "And what is a young one called?"
      ),
    ]
  }

  private static func about(_ thing: Thing) -> [Fact] {
    let one = English.a(thing.name)
    let start = English.sentence(one)
    let matter =
      thing.grows
      ? Fact(
        one,
        "\(start) is usually \(thing.matter).",
        ["What colour is \(one)?", "Which colour does \(one) have?"],
        followUp: "And what colour is it?"
      )
      : Fact(
        one,
        "\(start) is made of \(thing.matter).",
        ["What is \(one) made of?", "Of what do people make \(one)?"],
        followUp: "And what is it made of?"
      )
    return [
      Fact(
        one,
        thing.definition,
        [
          "What is \(one)?", "Can you explain what \(one) is?",
          "What does the word \(thing.name) mean?",
        ]
      ),
      matter,
    ]
  }

  private static func capital(_ country: String, _ city: String) -> [Fact] {
    [
      Fact(
        country,
        "The capital of \(country) is \(city).",
        [
          "What is the capital of \(country)?", "Which city is the capital of \(country)?",
          "Do you know the capital of \(country)?",
        ]
      ),
      Fact(
        city,
        "\(city) is the capital of \(country).",
        ["Of which country is \(city) the capital?", "In which country is \(city)?"]
      ),
    ]
  }

  private static func opposite(_ word: String, _ other: String) -> Fact {
    Fact(
      word,
      "The opposite of \(word) is \(other).",
      ["What is the opposite of \(word)?", "Which word is the opposite of \(word)?"]
    )
  }

  private static func work(_ name: String, _ task: String, _ tool: String) -> [Fact] {
    let one = English.a(name)
    let start = English.sentence(one)
    return [
      Fact(
        one,
        "\(start) \(task).",
        ["What does \(one) do?", "What is the work of \(one)?"]
      ),
      Fact(
        one,
        "\(start) needs \(tool).",
        ["What does \(one) need?", "What does \(one) work with?"],
        followUp: "And what does such a person need?"
      ),
    ]
  }

  private static let calendar: [Fact] = {
    var facts: [Fact] = []
    for (index, day) in Lore.days.enumerated() {
      let next = Lore.days[(index + 1) % 7]
      facts.append(
        Fact(
          day,
          "After \(day) comes \(next).",
          ["Which day comes after \(day)?", "What day follows \(day)?"]
        )
      )
      facts.append(Fact(next, "Before \(next) comes \(day).", ["Which day comes before \(next)?"]))
    }
    for (index, row) in Lore.months.enumerated() {
      let month = row[0]
      let next = Lore.months[(index + 1) % 12][0]
      facts.append(
        Fact(
          month,
          "After \(month) comes \(next).",
          ["Which month comes after \(month)?", "What month follows \(month)?"]
        )
      )
      facts.append(
        Fact(
          month,
          "\(month) has \(row[1]) days.",
          ["How many days does \(month) have?"],
          followUp: "And how many days does it have?"
        )
      )
      facts.append(
        Fact(
          month,
          "In the north, \(month) is a month of \(row[2]).",
          ["In which season is \(month)?", "Which season has the month \(month)?"],
          followUp: "And in which season is it?"
        )
      )
    }
    return facts
  }()
}
