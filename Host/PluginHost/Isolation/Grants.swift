/// What a plugin in a process of its own may do beyond its own directory.
///
/// Where the kernel has no way to withhold something, it is possible without a grant too; the log says so.
package struct Grants: Sendable, Equatable {
  /// Internet sockets (`network`).
  package var network = false
  /// Starting other programs (`spawn`); they have the same grants.
  package var spawn = false
  /// Absolute paths that may be read (`read:/path`), with everything beneath.
  package var readable: [String] = []
  /// Absolute paths that may be changed (`write:/path`), with everything beneath.
  package var writable: [String] = []

  package init() {}

  /// Adds one grant by its word in a file; `false` when there is no such grant.
  mutating func add(_ word: String) -> Bool {
    switch word {
    case "network": network = true
    case "spawn": spawn = true
    default:
      let parts = word.split(separator: ":", maxSplits: 1)
      guard parts.count == 2, parts[1].hasPrefix("/"), !parts[1].utf8.contains(0) else {
        return false
      }
      switch parts[0] {
      case "read": readable.append(String(parts[1]))
      case "write": writable.append(String(parts[1]))
      default: return false
      }
    }
    return true
  }
}
