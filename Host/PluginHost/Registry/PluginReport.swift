package import Wire

/// What became of one file of the plugins directory.
package struct PluginReport: Sendable, Equatable {
  package enum State: String, Sendable {
    case disabled, failed, loaded, active, quiesced, unloaded, retired
  }

  /// The file's name, without its directory.
  package var file: String
  /// The plugin's id; the file's own name without number and extension when the library told none.
  package var name: String
  package var version = ""
  package var description = ""
  package var generation: UInt32 = 0
  package var state: State
  /// Why it failed, or why its code stays mapped; empty otherwise.
  package var reason = ""
  package var routes: [String] = []
  /// Why its signature would not have let it load, had its file not forced that; empty otherwise.
  package var taint = ""
  /// Where its code runs; `nil` in the gateway's own process.
  package var isolation: IsolationFacts?
  /// How long probe, load, create and activate took together.
  package var loadTime: Duration = .zero

  /// The report as members of a JSON object.
  package var members: [JSON.Member] {
    let taint = taint.isEmpty ? [] : [JSON.Member(name: "taint", value: .string(taint))]
    let isolated = isolation?.members ?? [JSON.Member(name: "isolation", value: .string("none"))]
    return [
      JSON.Member(name: "name", value: .string(name)),
      JSON.Member(name: "version", value: .string(version)),
      JSON.Member(name: "description", value: .string(description)),
      JSON.Member(name: "generation", value: .integer(Int64(generation))),
      JSON.Member(name: "state", value: .string(state.rawValue)),
      JSON.Member(name: "reason", value: .string(reason)),
      JSON.Member(name: "file", value: .string(file)),
      JSON.Member(name: "routes", value: .array(routes.map { .string($0) })),
    ] + isolated + taint
  }

  /// What is known of an instance that is made.
  init(_ instance: PluginInstance, file: PluginFile) {
    self.init(file: file.name, name: instance.id, state: .active)
    version = instance.version
    description = instance.library.summary
    generation = instance.generation
    routes = instance.routes.map(\.name)
    taint = instance.host.health.taint.plugins[instance.id] ?? ""
  }

  package init(file: String, name: String, state: State, reason: String = "") {
    self.file = file
    self.name = name
    self.state = state
    self.reason = reason
  }
}
