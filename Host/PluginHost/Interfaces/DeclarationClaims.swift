import Synchronization

/// Who declared which route, topic, service and metric; each has one plugin in the whole gateway.
///
/// Two generations of one plugin may declare the same, and each keeps what it declared until it is destroyed: so a
/// generation that is gone back to finds its names still its own.
package final class DeclarationClaims: Sendable {
  /// What can be declared only once.
  package enum Name: Sendable, Hashable {
    /// Patterns that differ only in the names of their parameters are one.
    case route(method: String, shape: String)
    case topic(String)
    case service(String)
    case metric(String)
  }

  private struct Claim: Sendable {
    let owner: String
    var contexts: Set<UInt64>
  }

  private static let host = "the gateway itself"
  private let claims: Mutex<[Name: Claim]>

  /// Begins with the host's own paths.
  ///
  /// - Parameter reserved: Method and pattern; the method `*` stands for all.
  package init(reserved: [(method: String, pattern: PathPattern)] = []) {
    claims = Mutex(
      Dictionary(
        reserved.map { method, pattern in
          (.route(method: method, shape: pattern.shape), Claim(owner: Self.host, contexts: [0]))
        },
        uniquingKeysWith: { first, _ in first }
      )
    )
  }

  /// Takes a name for one generation of `owner`.
  ///
  /// - Parameters:
  ///   - name: What is declared.
  ///   - owner: Id of the plugin.
  ///   - context: Of the generation.
  /// - Returns: Who has it already, `owner` itself when this generation has; `nil` when it is taken now.
  func claim(_ name: Name, owner: String, context: UInt64) -> String? {
    claims.withLock { claims in
      if case .route(_, let shape) = name,
        let other = claims[.route(method: "*", shape: shape)]
      {
        return other.owner
      }
      guard var known = claims[name] else {
        claims[name] = Claim(owner: owner, contexts: [context])
        return nil
      }
      guard known.owner == owner, known.contexts.insert(context).inserted else {
        return known.owner
      }
      claims[name] = known
      return nil
    }
  }

  /// Gives back all that the generation of `context` has.
  func release(context: UInt64) {
    claims.withLock { claims in
      claims = claims.compactMapValues { claim in
        var claim = claim
        claim.contexts.remove(context)
        return claim.contexts.isEmpty ? nil : claim
      }
    }
  }

  /// Why `what` of `plugin` was refused, and what to do, when `owner` has it.
  static func refusal(of what: String, to plugin: String, by owner: String) -> String {
    switch owner {
    case host: "\(what) belongs to \(owner); give it another path"
    case plugin: "\(what) belongs to this plugin already; declare it once"
    default: "\(what) belongs to \(owner); disable one of the two files"
    }
  }
}
