public import GatewayPlugin

/// The smallest plugin: copy this folder, rename it, and start.
public struct Hello: Plugin {
  /// What this library is.
  public static let identity = PluginIdentity(
    id: "hello_swift",
    version: "1.0.0",
    description: "Greets in Swift."
  )

  private let greeting: String
  // Written once: this answer never changes, and the event loop has better to do.
  private let plain: [UInt8]
  private let greeted: Counter

  /// Reads the setting `greeting` of the plugin's file.
  public init(host: Host) throws {
    greeting = try host.settings.read { $0.string("greeting", 1...100, default: "Hello") }
    plain = JSON.object([.init(name: "greeting", value: .string(greeting))]).bytes
    greeted = try host.metrics.counter("hello_greetings_total", "Greetings given.")
  }

  /// One route on the event loop, and one on a worker that validates what it gets.
  public var routes: [Route] {
    Route.get(
      "/v1/hello",
      scope: .read,
      summary: "Greets",
      answer: Self.answer,
      runs: .inline
    ) { _ in
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
      answer: Self.answer
    ) { request in
      let name = request.parameter("name")
      let times = try request.validateQuery { query in
        if name.unicodeScalars.count > 50 { query.refuse("name", "must be at most 50 characters") }
        return query.integer("times", 1...10, default: 1)
      }
      greeted.add(Double(times))
      let line = "\(greeting), \(name)!"
      return .data([
        "greeting": .string(Array(repeating: line, count: times).joined(separator: " "))
      ])
    }
  }

  /// Healthy as long as it answers.
  public var checks: [HealthCheck] {
    HealthCheck("greeter", every: .seconds(10)) { .healthy() }
  }

  private static let answer = Schema.object(
    ["greeting": .string("The greeting")],
    required: ["greeting"]
  )
}
