/// An identity with all that a request needs of it, made once for each credential.
package final class Caller: Sendable {
  package let identity: Identity
  /// UTF-8 of the subject.
  package let subject: [UInt8]
  /// The scopes with one space between.
  package let scopes: [UInt8]
  package let tier: RateTier
  /// What this caller has used up; shared by all credentials of the subject.
  package let window: any RateWindow
  private let known: UInt8

  package init(_ identity: Identity, tier: RateTier, window: any RateWindow) {
    self.identity = identity
    self.tier = tier
    self.window = window
    subject = Array(identity.subject.utf8)
    scopes = Array(identity.scopes.joined(separator: " ").utf8)
    known = identity.scopes.reduce(0) { $0 | RequiredScope(name: $1).bit }
  }

  /// Whether the caller has `scope`.
  package func may(_ scope: RequiredScope) -> Bool {
    scope.bit != 0 ? known & scope.bit != 0 : identity.may(scope.name)
  }
}

/// The scope a route needs, prepared so that the usual ones are one bit to test.
package struct RequiredScope: Sendable, Equatable {
  package let name: String
  /// 0 for a scope of a plugin's own.
  let bit: UInt8

  package init(name: String) {
    self.name = name
    switch name {
    case "read": bit = 1
    case "write": bit = 2
    case "admin": bit = 4
    default: bit = 0
    }
  }
}
