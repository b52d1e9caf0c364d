import PluginStorage

/// Single values that outlive the process.
struct KeptValues: Sendable {
  private let database: Database

  /// The values in `database`, which has the tables of `DatabaseSchema.p2pFog`.
  init(_ database: Database) { self.database = database }

  /// A value by its name; `nil` for one that was never set.
  func value(_ name: String) throws(StorageError) -> String? {
    try database.read { (connection) throws(StorageError) in
      try connection.first("SELECT value FROM kept WHERE name = ?1", [.text(name)]) { $0.text(0) }
    }
  }

  /// Sets a value.
  func set(_ name: String, to value: String) throws(StorageError) {
    try database.write { (connection) throws(StorageError) -> Void in
      try connection.run(
        "INSERT INTO kept (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = ?2",
        [.text(name), .text(value)]
      )
    }
  }
}
