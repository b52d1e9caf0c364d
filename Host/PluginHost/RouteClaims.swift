import Synchronization

/// Who serves which method and path; each only once in the whole gateway.
package final class RouteClaims: Sendable {
  private static let host = "the gateway itself"
  private let owners: Mutex<[String: String]>

  /// Begins with the host's own paths.
  ///
  /// - Parameter reserved: Method and pattern; the method `*` stands for all.
  package init(reserved: [(method: String, pattern: PathPattern)]) {
    owners = Mutex(
      Dictionary(
        reserved.map { ("\($0.method) \($0.pattern.shape)", Self.host) },
        uniquingKeysWith: { first, _ in first }
      )
    )
  }

  /// Takes a method and path for `owner`.
  ///
  /// - Parameters:
  ///   - method: As in the request line.
  ///   - pattern: Patterns that differ only in the names of their parameters are one.
  ///   - owner: Id of the plugin.
  /// - Returns: Who has it already; `nil` when `owner` has it from now on.
  func claim(_ method: String, _ pattern: PathPattern, owner: String) -> String? {
    owners.withLock { owners in
      let key = "\(method) \(pattern.shape)"
      if let other = owners["* \(pattern.shape)"] ?? owners[key] { return other }
      owners[key] = owner
      return nil
    }
  }

  /// Why `route` of `plugin` was refused, and what to do, when `owner` has it.
  static func refusal(of route: String, to plugin: String, by owner: String) -> String {
    switch owner {
    case host: "route \(route) is served by \(host); give it another path"
    case plugin: "route \(route) is served by this plugin already; declare it once"
    default: "route \(route) is served by \(owner); disable one of the two files"
    }
  }

  /// Gives back all that `owner` has.
  func release(owner: String) {
    owners.withLock { owners in owners = owners.filter { $0.value != owner } }
  }
}
