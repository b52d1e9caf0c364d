/// A project to be made, as `gateway plugin new` was told.
package struct ProjectOrder: Equatable, Sendable {
  package static let usage = """
    usage: gateway plugin new --lang \(languages) [--dir DIR] [--sdk DIR] NAME
    Makes the project of a plugin, which builds, tests and packs at once: `make`, `make test`, `make pack`.
      NAME   the plugin's id: a to z, 0 to 9 and _, from a letter on, up to 32
      --dir  where; a folder that is empty or not there yet (default: NAME, here)
      --sdk  the folder PluginSDK of the gateway's sources (default: found from this binary)
    """

  private static let languages = ProjectLanguage.allCases.map(\.rawValue).joined(separator: "|")

  package private(set) var name = ""
  package private(set) var language = ProjectLanguage.c
  /// Where the project goes.
  package private(set) var directory = ""
  /// The SDK's folder, when it was named.
  package private(set) var sdk: String?

  /// Reads the arguments after `plugin new`.
  ///
  /// - Parameter arguments: The name, and options as `--name value` or `--name=value`, each once.
  /// - Throws: `UsageError` with everything that is wrong.
  package init(_ arguments: ArraySlice<String>) throws(UsageError) {
    var problems: [String] = []
    var seen: Set<String> = []
    var names: [String] = []
    var rest = arguments
    while let argument = rest.popFirst() {
      guard argument.hasPrefix("-") else {
        names.append(argument)
        continue
      }
      let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      let option = String(parts[0])
      guard ["--lang", "--dir", "--sdk"].contains(option) else {
        problems.append("\(argument.debugDescription): there is no such option")
        continue
      }
      if !seen.insert(option).inserted { problems.append("\(option): write it once") }
      guard let value = parts.count > 1 ? String(parts[1]) : rest.popFirst(), !value.isEmpty else {
        problems.append("\(option): write a value after it")
        continue
      }
      if let problem = take(option, value) { problems.append("\(option): \(problem)") }
    }
    if !seen.contains("--lang") {
      problems.insert("--lang: it is required; write one of \(Self.languages)", at: 0)
    }
    if let problem = take(names) { problems.append(problem) }
    guard problems.isEmpty else { throw UsageError(problems) }
  }

  private mutating func take(_ names: [String]) -> String? {
    guard let name = names.first, names.count == 1 else {
      return names.isEmpty ? "NAME: it is required" : "NAME: write one, not \(names.count)"
    }
    self.name = name
    if directory.isEmpty { directory = name }
    guard Names.isPluginID(name) else {
      return """
        \(name.debugDescription): a plugin's name is 1 to 32 of a to z, 0 to 9 and _, and begins with a letter
        """
    }
    return nil
  }

  /// Returns what to write instead when the value is refused.
  private mutating func take(_ option: String, _ value: String) -> String? {
    switch option {
    case "--dir": directory = value
    case "--sdk": sdk = value
    default:
      guard let known = ProjectLanguage(rawValue: value) else {
        return "write one of \(Self.languages)"
      }
      language = known
    }
    return nil
  }
}
