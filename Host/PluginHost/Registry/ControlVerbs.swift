package import Wire

/// What the command line may ask of a running gateway's plugins.
extension PluginRegistry {
  /// Answers one request of the control socket.
  ///
  /// - Parameter request: An object whose `verb` says what is wanted: `plugins`; `rescan`; or `reload`, `enable`,
  ///   `disable` with the plugin's name in `plugin`, and `force` with `reload`.
  /// - Returns: An object with `plugins`, `reports` or `report`, or with `error`.
  package func answer(_ request: JSON) -> JSON {
    let verb = request["verb"]?.asString ?? ""
    switch verb {
    case "plugins":
      return [
        "plugins": describe(),
        "retired": .array(
          retired.map { generation in
            [
              "name": .string(generation.plugin),
              "generation": .integer(Int64(generation.number)),
              "reason": .string(generation.reason),
            ]
          }
        ),
      ]
    case "rescan": return ["reports": .array(rescan().map(\.json))]
    case "reload", "enable", "disable":
      guard let name = request["plugin"]?.asString else {
        return ["error": "the verb \"\(verb)\" needs the plugin's name in \"plugin\""]
      }
      let report =
        switch verb {
        case "reload": reload(name, force: request["force"]?.asBool ?? false)
        case "enable": enable(name)
        default: disable(name)
        }
      return ["report": report.json]
    default:
      return [
        "error": "this gateway knows the verbs plugins, rescan, reload, enable and disable"
      ]
    }
  }
}
