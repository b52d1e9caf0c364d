import CGatewayPlugin
package import Wire

/// The code of one generation, wherever it runs: a library in this process, or a process of its own that is spoken to.
protocol PluginCode: AnyObject, Sendable {
  /// The plugin's id, `[a-z][a-z0-9_]{0,31}`.
  var id: String { get }
  /// Its semantic version.
  var version: String { get }
  /// What it says of itself, one sentence.
  var summary: String { get }
  /// SHA-256 of the library, in hexadecimal digits.
  var digest: String { get }
  /// The plugin's functions, valid until `close`.
  var descriptor: UnsafePointer<gw_plugin_v1> { get }
  /// Why the code must stay mapped; `nil` when it can be unmapped.
  var tie: String? { get }

  /// Where the code runs, for operators; `nil` in this process.
  var isolation: IsolationFacts? { get }

  /// The steps of one request of `route`.
  ///
  /// - Parameters:
  ///   - route: One that this code declared.
  ///   - handle: What the plugin answers.
  ///   - image: The request's bytes.
  ///   - report: Hears what the steps returned, on any thread.
  /// - Returns: To be begun once.
  func steps(
    _ route: PluginRoute,
    handle: UInt64,
    image: any RequestSource,
    report: @escaping @Sendable (PluginCall.Report) -> Void
  ) -> any RequestSteps

  /// All its jobs should end, or may begin again.
  func jobsShouldStop(_ isStopping: Bool)

  /// Events that were handed to a subscription's callback and that the plugin has not taken yet.
  ///
  /// - Parameter user: As the callback has it.
  /// - Returns: How many.
  func eventsBehind(_ user: UnsafeMutableRawPointer?) -> Int

  /// Remembers that the plugin made threads by itself.
  func noteForeignThreads(_ names: [String])

  /// Gives the code up, after the last use of anything of it.
  ///
  /// - Parameter obstacle: A reason to keep it mapped.
  /// - Returns: What was done and why.
  func close(obstacle: String?) -> PluginLibrary.Closing
}

/// Where and how a plugin's code runs that is not in this process.
package struct IsolationFacts: Sendable, Equatable {
  /// The number of its process; 0 while there is none.
  package var pid: Int32
  /// What keeps it from the rest of the machine.
  package var layers: [String]
  /// `closed`, `open` or `half-open`.
  package var breaker: String
  /// How often it was started again.
  package var restarts: Int

  /// The facts as members of a JSON object.
  package var members: [JSON.Member] {
    [
      JSON.Member(name: "isolation", value: .string("process")),
      JSON.Member(name: "pid", value: .integer(Int64(pid))),
      JSON.Member(name: "sandbox", value: .array(layers.map { .string($0) })),
      JSON.Member(name: "breaker", value: .string(breaker)),
      JSON.Member(name: "restarts", value: .integer(Int64(restarts))),
    ]
  }
}

/// What code in this process has no use for.
extension PluginCode {
  var isolation: IsolationFacts? { nil }

  func steps(
    _ route: PluginRoute,
    handle: UInt64,
    image: any RequestSource,
    report: @escaping @Sendable (PluginCall.Report) -> Void
  ) -> any RequestSteps {
    PluginCall(route: route, handle: handle, image: image, report: report)
  }

  func jobsShouldStop(_ isStopping: Bool) {}
  func eventsBehind(_ user: UnsafeMutableRawPointer?) -> Int { 0 }
}
