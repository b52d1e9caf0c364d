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
  /// How long probe, load, create and activate took together.
  package var loadTime: Duration = .zero

  package init(file: String, name: String, state: State, reason: String = "") {
    self.file = file
    self.name = name
    self.state = state
    self.reason = reason
  }
}
