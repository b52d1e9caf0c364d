package import Wire

/// What is wrong with a file of the plugins directory, and where.
package struct PluginFileError: Error, Equatable {
  package enum Fault: Equatable, Sendable {
    case unreadable(String)
    case unwritable(String)
    case tooLong(limit: Int)
    case badName
    case syntax(String)
    case unknownKey(String, nearest: String?, allowed: [String])
    case wrongType(key: String, wanted: String, found: String)
    case outOfRange(key: String, allowed: ClosedRange<Int64>)
    case missingKey(String, example: String)
    case emptyLibrary
    case libraryNotFound(String, looked: [String])
    case unknownGrant(String)
    /// Grants or a limit of memory without a process that could be held to them.
    case onlyIsolated
    /// What the library or the plugin in it refused.
    case load(String)
  }

  /// The file's path as it was given.
  package var file: String
  /// Where in the file; `nil` when the fault is not at one place.
  package var position: SettingsDocument.Position?
  package var fault: Fault

  package init(file: String, position: SettingsDocument.Position?, fault: Fault) {
    self.file = file
    self.position = position
    self.fault = fault
  }

  /// The same without the file and its place, for where they are known.
  package var reason: String {
    switch fault {
    case .unreadable(let reason):
      "cannot be read: \(reason); it must be a regular file that the gateway's user may read"
    case .unwritable(let reason):
      "cannot be changed: \(reason); edit it by hand, or let the gateway's user write it and its directory"
    case .tooLong(let limit): "is longer than \(limit) bytes; it holds settings, not data"
    case .badName:
      "must be named NN-name.json or NN-name.jsonc, for example 10-utilities.json: the number orders the loading"
    case .syntax(let reason): reason
    case .unknownKey(let key, let nearest?, _):
      "unknown key \"\(key)\"; did you mean \"\(nearest)\"?"
    case .unknownKey(let key, nil, let allowed):
      "unknown key \"\(key)\"; allowed here: \(allowed.joined(separator: ", "))"
    case .wrongType(let key, let wanted, let found): "\"\(key)\" must be \(wanted), not \(found)"
    case .outOfRange(let key, let allowed):
      "\"\(key)\" must be a whole number from \(allowed.lowerBound) to \(allowed.upperBound)"
    case .missingKey(let key, let example): "\"\(key)\" is missing; add a line such as \(example)"
    case .emptyLibrary: "\"library\" is empty; name a library, such as \"utilities\""
    case .libraryNotFound(let name, let looked):
      "library \"\(name)\" was not found; looked for \(looked.joined(separator: ", ")); build it, or "
        + (name.contains("/")
          ? "write its path from this file or from /" : "set LIBRARY_DIR to where it is")
    case .unknownGrant(let word):
      "there is no grant \"\(word)\"; there are network, spawn, read:/path and write:/path"
    case .onlyIsolated:
      "\"grants\" and \"memory_bytes\" bind a process of the plugin's own; add \"isolation\": \"process\", or take them out"
    case .load(let reason): reason
    }
  }
}

extension PluginFileError: CustomStringConvertible {
  /// In the form of a compiler's message, so that editors can jump to it.
  package var description: String {
    let place = position.map { ":\($0.line):\($0.column)" } ?? ""
    return "\(file)\(place): error: \(reason)"
  }
}
