import Synchronization

/// The plugins that have crashed the gateway too often to run in its process without being asked for.
package final class Quarantine: Sendable {
  private struct State {
    /// Why each is left out, by its id.
    var reasons: [String: String]
    /// Ids by the name of the file that was refused.
    var files: [String: String] = [:]
  }

  /// Whether they run in a process of their own, instead of not at all.
  let isolates: Bool
  private let state: Mutex<State>
  private let lifted: @Sendable (String) -> Void

  /// - Parameters:
  ///   - reasons: Why each is in it, by plugin id.
  ///   - isolates: Whether they run in a process of their own, instead of not at all.
  ///   - lifted: Hears of each plugin that an operator has asked for.
  package init(
    _ reasons: [String: String] = [:],
    isolates: Bool = false,
    lifted: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.isolates = isolates
    state = Mutex(State(reasons: reasons))
    self.lifted = lifted
  }

  /// Why a plugin is not to run in the gateway's process; `nil` when it may.
  ///
  /// - Parameters:
  ///   - plugin: Its id.
  ///   - file: The name of its file without number and extension, by which an operator may ask for it.
  /// - Returns: A sentence for the operator, or `nil`.
  package func refusal(of plugin: String, file: String) -> String? {
    state.withLock { state in
      guard let reason = state.reasons[plugin] else { return nil }
      state.files[file] = plugin
      return reason
    }
  }

  /// Whether a plugin was refused that an operator may ask for by `file`.
  func hasRefused(_ file: String) -> Bool { state.withLock { $0.files[file] != nil } }

  /// Lets a plugin be loaded again.
  ///
  /// - Parameter name: Its id, or its file's name.
  package func lift(_ name: String) {
    let id: String? = state.withLock { state in
      let id = state.files[name] ?? name
      return state.reasons.removeValue(forKey: id) == nil ? nil : id
    }
    if let id { lifted(id) }
  }
}
