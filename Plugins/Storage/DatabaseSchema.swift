/// The shape of the database, as the steps that lead to it.
package struct DatabaseSchema: Sendable {
  /// Step `n` brings a database of schema `n` to `n + 1`; released steps never change.
  package let steps: [String]

  package init(steps: [String]) { self.steps = steps }

  /// Brings the database to the last step, in one transaction.
  func migrate(_ connection: inout Connection) throws(StorageError) {
    let found = try version(&connection)
    guard found <= steps.count else {
      throw .newerSchema(found: found, known: steps.count)
    }
    guard found < steps.count else { return }
    try connection.transaction { (connection) throws(StorageError) in
      // Read again under the lock: another generation of the plugin may have just migrated.
      for step in steps[min(try version(&connection), steps.count)...] {
        try connection.script(step)
      }
      try connection.script("PRAGMA user_version = \(steps.count)")
    }
  }

  private func version(_ connection: inout Connection) throws(StorageError) -> Int {
    try connection.first("PRAGMA user_version") { $0.count(0) } ?? 0
  }
}
