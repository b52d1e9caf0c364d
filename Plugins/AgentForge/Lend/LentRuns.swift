import PluginStorage

/// Everything that subjects of another plugin's making have here: runs, models.
extension RunStore {
  /// Owners whose names begin so, of runs and of models.
  func owners(beginning prefix: String) throws(StorageError) -> [String] {
    try database.read { (connection) throws(StorageError) in
      // Compared by code points; LIKE would take some of them for patterns.
      try connection.rows(
        """
        SELECT owner FROM runs WHERE substr(owner, 1, length(?1)) = ?1
        UNION SELECT owner FROM models WHERE substr(owner, 1, length(?1)) = ?1
        """,
        [.text(prefix)]
      ) { $0.text(0) }
    }
  }

  /// Ids of an owner's runs.
  func ids(owner: String) throws(StorageError) -> [String] {
    try database.read { (connection) throws(StorageError) in
      try connection.rows("SELECT id FROM runs WHERE owner = ?", [.text(owner)]) { $0.text(0) }
    }
  }

  /// Removes a run that is over, with curve and log.
  func remove(_ id: String, owner: String) throws(StorageError) {
    try database.write { (connection) throws(StorageError) in
      _ = try connection.run(
        """
        DELETE FROM runs WHERE id = ? AND owner = ?
          AND status IN ('completed', 'failed', 'cancelled')
        """,
        [.text(id), .text(owner)]
      )
    }
  }
}
