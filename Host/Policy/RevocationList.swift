/// Tokens that are void before they expire.
package protocol RevocationList: Sendable {
  /// Whether the token with this `jti` is void; answered from memory.
  func isRevoked(_ tokenID: String) -> Bool

  /// A number that changes whenever a token has been revoked.
  var version: UInt64 { get }

  /// Makes a token void, durably before it returns; blocks, so never on a loop.
  ///
  /// - Parameters:
  ///   - tokenID: The `jti`.
  ///   - until: Seconds since 1970 at which the token expires by itself and may be forgotten.
  /// - Throws: `StorageError`; then nothing is revoked.
  func revoke(_ tokenID: String, until: Int64) throws(StorageError)
}

/// A database that could not do what was asked.
package struct StorageError: Error, Equatable, CustomStringConvertible {
  package let path: String
  package let operation: String
  package let reason: String

  package init(path: String, operation: String, reason: String) {
    self.path = path
    self.operation = operation
    self.reason = reason
  }

  package var description: String { "\(path): cannot \(operation): \(reason)" }
}
