package import GatewayPlugin
import PluginStorage

/// A result file, or a part of one.
package struct ResultFile: Sendable, Equatable {
  package var path: String
  package var size: Int
  package var sha256: String
  package var isComplete: Bool

  /// As clients see it.
  package var json: JSON {
    ["path": .string(path), "size": .integer(Int64(size)), "sha256": .string(sha256)]
  }
}

/// Result files in the database.
enum ResultTable {
  /// The files of a lease, by path.
  static func all(
    _ lease: String,
    _ connection: inout Connection
  ) throws(StorageError) -> [ResultFile] {
    try connection.rows(
      "SELECT path, size, sha256, is_complete FROM fog_files WHERE lease = ? ORDER BY path",
      [.text(lease)]
    ) { row in
      ResultFile(
        path: row.text(0),
        size: row.count(1),
        sha256: row.text(2),
        isComplete: row.flag(3)
      )
    }
  }

  /// Enters a file that begins, or begins again.
  static func put(
    _ file: ResultFile,
    _ lease: String,
    _ connection: inout Connection
  ) throws(StorageError) {
    try connection.run(
      """
      INSERT OR REPLACE INTO fog_files (lease, path, size, sha256, is_complete)
      VALUES (?, ?, ?, ?, ?)
      """,
      [
        .text(lease), .text(file.path), .count(file.size), .text(file.sha256),
        .flag(file.isComplete),
      ]
    )
  }

  /// Leases whose files nobody can have: lost, or refused at the end.
  static func abandoned(
    _ connection: inout Connection
  ) throws(StorageError) -> [(job: String, lease: String)] {
    try connection.rows(
      """
      SELECT j.id, a.lease FROM fog_attempts a JOIN fog_jobs j ON j.id = a.job
      WHERE j.lease IS NOT a.lease AND EXISTS (SELECT 1 FROM fog_files f WHERE f.lease = a.lease)
      LIMIT 100
      """
    ) { ($0.text(0), $0.text(1)) }
  }

  /// Forgets the files of a lease.
  static func remove(_ lease: String, _ connection: inout Connection) throws(StorageError) {
    try connection.run("DELETE FROM fog_files WHERE lease = ?", [.text(lease)])
  }
}
