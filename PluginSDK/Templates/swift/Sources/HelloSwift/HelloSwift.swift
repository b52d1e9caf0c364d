public import GatewayPlugin
import Synchronization

/// A small plugin: it greets, reads a setting, and hands its count over when it is replaced.
public final class HelloSwift: StateKeeping {
  /// What this library is.
  public static let identity = PluginIdentity(
    id: "hello_swift",
    version: "1.0.0",
    description: "Greets in Swift."
  )

  /// The count of greetings, in decimal.
  public static let stateSchema = StateSchema("hello_swift.greeted", writes: 1, reads: 1...1)

  private let greeting: Greeting
  // Written once: this answer never changes, and the event loop has better to do.
  private let plain: [UInt8]
  private let greetings: Counter
  // Handlers run side by side: what they change is atomic, or behind a `Mutex`.
  private let greeted = Atomic<Int>(0)

  /// Reads the setting `greeting` of the plugin's file.
  public init(host: Host) throws {
    let words = try host.settings.read { $0.string("greeting", 1...100, default: "Hello") }
    greeting = Greeting(words: words)
    plain = JSON.object([.init(name: "greeting", value: .string(words))]).bytes
    greetings = try host.metrics.counter("hello_swift_greetings_total", "Greetings given.")
  }

  /// One route on the event loop, and one on a worker that validates what it gets.
  public var routes: [Route] {
    Route.get(
      "/v1/hello",
      scope: .read,
      summary: "Greets",
      answer: Schema.object(["greeting": .string("The greeting")], required: ["greeting"]),
      runs: .inline
    ) { [plain] _ in
      .data(encoded: plain)
    }
    Route.get(
      "/v1/hello/{name}",
      scope: .read,
      summary: "Greets someone",
      parameters: [
        .path("name", .string("Who is greeted", 1...50)),
        .query("times", .integer("How often", 1...10, default: 1)),
      ],
      answer: Schema.object(
        [
          "greeting": .string("The greeting"),
          "number": .integer(
            "Which greeting it is, over all replacements of the plugin",
            1...Int.max
          ),
        ],
        required: ["greeting", "number"]
      )
    ) { [self] request in
      let name = request.parameter("name")
      let times = try request.validateQuery { query in
        if name.unicodeScalars.count > 50 { query.refuse("name", "must be at most 50 characters") }
        return query.integer("times", 1...10, default: 1)
      }
      greetings.add(Double(times))
      let number = greeted.add(1, ordering: .relaxed).newValue
      return .data([
        "greeting": .string(greeting.line(for: name, times: times)),
        "number": .integer(Int64(number)),
      ])
    }
  }

  /// Healthy as long as it answers.
  public var checks: [HealthCheck] {
    HealthCheck("greeter", every: .seconds(10)) { .healthy() }
  }

  /// The count, for the next generation.
  public func snapshot() -> [UInt8] { Array("\(greeted.load(ordering: .relaxed))".utf8) }

  /// Takes the count of the generation before.
  ///
  /// - Parameters:
  ///   - state: What `snapshot` gave.
  ///   - schema: 1, the only one there is.
  /// - Throws: `PluginFailure` for anything else.
  public func restore(_ state: [UInt8], schema: Int) throws {
    guard let count = Int(String(decoding: state, as: UTF8.self)), count >= 0 else {
      throw PluginFailure("The state is not a count of greetings.")
    }
    greeted.store(count, ordering: .relaxed)
  }
}
