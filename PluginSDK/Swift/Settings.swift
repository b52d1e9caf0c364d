/// The `settings` of the plugin's file in `plugins.d/`.
public struct Settings: Sendable {
  /// All of it.
  public let json: JSON

  /// Reads the settings, naming every error at once.
  ///
  /// - Parameter read: Asks for each setting; a name it does not ask for is an error.
  /// - Returns: What `read` made.
  /// - Throws: `PluginFailure` that names every bad setting and what is wanted.
  public func read<Value>(_ read: (inout Fields) -> Value) throws(PluginFailure) -> Value {
    var fields = Fields(json)
    let value = read(&fields)
    let errors = fields.collected(.refused)
    guard errors.isEmpty else {
      throw PluginFailure(
        errors.map { error in
          let place = error.field.isEmpty ? "settings" : "settings.\(error.field)"
          let allowed = error.allowed.isEmpty ? "" : " (\(error.allowed.joined(separator: ", ")))"
          return "\(place) \(error.reason)\(allowed)"
        }.joined(separator: "; ")
      )
    }
    return value
  }
}
