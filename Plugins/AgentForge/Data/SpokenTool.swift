import GatewayPlugin

/// What is filled into a phrase, and what belongs to it.
struct SpokenCall {
  /// What stands for `{name}` in a phrase.
  var slots: [(name: String, value: String)]
  var arguments: JSON
  var result: String
  var answer: String

  /// The phrase with each `{name}` replaced.
  func fill(_ phrase: String) -> String {
    phrase.split(separator: "{", omittingEmptySubsequences: false).enumerated()
      .map { index, part in
        guard index > 0, let end = part.firstIndex(of: "}") else { return String(part) }
        let value = slots.first { $0.name == part[..<end] }?.value ?? ""
        return value + part[part.index(after: end)...]
      }
      .joined()
  }
}

/// How one asks for a tool: those declared by default as people do, any other by its names.
struct SpokenTool {
  /// Phrases with slots in braces.
  let trained, heldOut: [String]
  private let make: @Sendable (inout ToolValues) -> SpokenCall

  init(_ tool: Tool) {
    let usual = Tool.usual.firstIndex { $0.name == tool.name && $0.parameters == tool.parameters }
    switch usual {
    case 0:
      trained = [
        "What is {e}?", "Calculate {e}.", "How much is {e}?", "Work out {e}.", "Compute {e}.",
      ]
      heldOut = ["Please calculate {e}.", "Tell me how much {e} is."]
      make = Self.calculation
    case 1:
      trained = [
        "Convert {v} {a} to {b}.", "How many {b} are {v} {a}?", "{v} {a} in {b}?",
        "What is {v} {a} in {b}?",
      ]
      heldOut = ["Please convert {v} {a} to {b}.", "How much is {v} {a} in {b}?"]
      make = Self.conversion
    case 2:
      trained = [
        "What is the weather in {c}?", "How is the weather in {c}?", "Weather in {c}?",
        "Tell me the weather in {c}.",
      ]
      heldOut = ["What is the weather like in {c}?", "Please tell me the weather in {c}."]
      make = Self.weather
    case 3:
      trained = [
        "Remind me to {x} at {t}.", "Set a reminder to {x} at {t}.", "At {t}, remind me to {x}.",
      ]
      heldOut = ["Please remind me to {x} at {t}.", "I want a reminder to {x} at {t}."]
      make = Self.reminder
    default:
      trained = [
        "Use {tool} with {args}.", "Call {tool} with {args}.", "{tool}: {args}.",
        "I need {tool} with {args}.",
      ]
      heldOut = ["Please use {tool} with {args}.", "Run {tool} with {args}."]
      make = { Self.plain(tool, &$0) }
    }
  }

  /// One call, with values drawn from `values`.
  func speak(_ values: inout ToolValues) -> SpokenCall { make(&values) }

  private static func calculation(_ values: inout ToolValues) -> SpokenCall {
    let (one, other) = (values.number(99), 1 + values.generator.below(20))
    let sign = ["+", "-", "*", "/"][values.generator.below(4)]
    let expression =
      values.generator.below(5) == 0
      ? "(\(one) \(sign) \(other)) * \(2 + values.generator.below(8))" : "\(one) \(sign) \(other)"
    // Every expression above has a value: nothing is divided by zero.
    let result = (try? Calculator.result(of: expression)) ?? ""
    return SpokenCall(
      slots: [("e", expression)],
      arguments: ["expression": .string(expression)],
      result: result,
      answer: "\(expression) is \(result)."
    )
  }

  private static func conversion(_ values: inout ToolValues) -> SpokenCall {
    let pairs = [
      ("km", "miles", 0.621371), ("miles", "km", 1.609344), ("kg", "pounds", 2.204623),
      ("pounds", "kg", 0.453592),
    ]
    let (from, to, factor) = pairs[values.generator.below(pairs.count)]
    let value = values.number(99)
    let result = Calculator.text((Double(value) * factor * 100).rounded() / 100)
    return SpokenCall(
      slots: [("v", "\(value)"), ("a", from), ("b", to)],
      arguments: ["value": .integer(Int64(value)), "from": .string(from), "to": .string(to)],
      result: result,
      answer: "\(value) \(from) is \(result) \(to)."
    )
  }

  private static let cities = [
    "Paris", "London", "Rome", "Berlin", "Madrid", "Vienna", "Oslo", "Lisbon", "Athens", "Dublin",
    "Prague", "Warsaw", "Cairo", "Tokyo", "Delhi", "Lima", "Boston", "Geneva", "Milan", "Zurich",
    "Hamburg", "Porto", "Seville", "Turin",
  ]

  private static func weather(_ values: inout ToolValues) -> SpokenCall {
    let city = values.word(cities)
    let sky = ["sunny", "cloudy", "rainy", "windy", "foggy"][values.generator.below(5)]
    let result = "\(sky), \(values.generator.below(35)) degrees"
    return SpokenCall(
      slots: [("c", city)],
      arguments: ["city": .string(city)],
      result: result,
      answer: "In \(city) it is \(result)."
    )
  }

  private static let errands = [
    "call Anna", "buy milk", "water the plants", "feed the cat", "send the letter", "pay the rent",
    "take a walk", "clean the desk", "read a book", "bake bread", "call the doctor", "buy apples",
    "lock the door", "wash the car", "charge the phone", "write to Tom",
  ]

  private static func reminder(_ values: inout ToolValues) -> SpokenCall {
    let errand = values.word(errands)
    let time =
      "\(values.generator.below(24)):\(["00", "15", "30", "45"][values.generator.below(4)])"
    return SpokenCall(
      slots: [("x", errand), ("t", time)],
      arguments: ["text": .string(errand), "time": .string(time)],
      result: "saved",
      answer: "It is saved: I will remind you to \(errand) at \(time)."
    )
  }

  private static func plain(_ tool: Tool, _ values: inout ToolValues) -> SpokenCall {
    let arguments = tool.parameters.map {
      JSON.Member(name: $0.name, value: values.value(of: $0))
    }
    let spoken = arguments.map { member in
      let value = member.value.asString ?? String(decoding: member.value.bytes, as: UTF8.self)
      return "\(member.name) \(value)"
    }
    let result =
      "\(["done", "ready", "found"][values.generator.below(3)]) \(values.generator.below(100))"
    return SpokenCall(
      slots: [
        ("tool", tool.name),
        ("args", spoken.isEmpty ? "nothing" : spoken.joined(separator: ", ")),
      ],
      arguments: .object(arguments),
      result: result,
      answer: "\(tool.name) says: \(result)."
    )
  }
}
