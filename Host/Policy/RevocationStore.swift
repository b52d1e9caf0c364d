import Synchronization

/// Revoked tokens in memory, and in `gateway.db` of the data directory for the next start.
package final class RevocationStore: RevocationList {
  private let file: Mutex<RevocationFile>
  private let revoked: Mutex<[String: Int64]>
  private let changes = Atomic<UInt64>(0)

  /// Opens the database, makes it if it is missing, and drops what has expired.
  ///
  /// - Parameters:
  ///   - path: The database; its directory exists.
  ///   - now: Seconds since 1970.
  /// - Throws: `StorageError`.
  package init(path: String, now: Int64) throws(StorageError) {
    let file = try RevocationFile.open(path)
    try file.prune(before: now - TokenClaims.skew)
    revoked = Mutex(try file.all())
    self.file = Mutex(file)
  }

  package var version: UInt64 { changes.load(ordering: .acquiring) }

  package func isRevoked(_ tokenID: String) -> Bool {
    revoked.withLock { $0[tokenID] != nil }
  }

  package func revoke(_ tokenID: String, until: Int64) throws(StorageError) {
    try file.withLock { file throws(StorageError) in try file.insert(tokenID, until: until) }
    revoked.withLock { $0[tokenID] = until }
    changes.add(1, ordering: .releasing)
  }

  /// Takes in what another process has revoked, and forgets what has expired.
  ///
  /// Blocks, so never on a loop. Without a change by another process it costs one small query.
  ///
  /// - Parameter now: Seconds since 1970.
  /// - Returns: Whether anything was taken in.
  /// - Throws: `StorageError`; then the list is as before.
  @discardableResult
  package func refresh(now: Int64) throws(StorageError) -> Bool {
    let before = now - TokenClaims.skew
    let fresh = try file.withLock { file throws(StorageError) -> [String: Int64]? in
      try file.changes(expiringFrom: before)
    }
    guard let fresh else {
      revoked.withLock { revoked in
        if revoked.contains(where: { $0.value < before }) {
          revoked = revoked.filter { $0.value >= before }
        }
      }
      return false
    }
    // Merged, not replaced: a revocation of this process may have been added since the query.
    revoked.withLock { revoked in
      revoked = revoked.merging(fresh) { max($0, $1) }.filter { $0.value >= before }
    }
    changes.add(1, ordering: .releasing)
    return true
  }
}
