import Peering
package import PluginStorage
import GatewayPlugin

/// The nodes in the database.
package enum NodeTable {
  /// All nodes, the removed ones too.
  ///
  /// - Parameter connection: Any.
  /// - Returns: Without what only memory holds.
  /// - Throws: `StorageError`.
  package static func all(_ connection: inout Connection) throws(StorageError) -> [FogNode] {
    try connection.rows(
      """
      SELECT id, report, is_draining, removed_at, registered_at, seen_at, active_ms, successes,
        failures, trust_at, latency_ms, completed, failed, lost FROM fog_nodes
      """
    ) { row in
      guard let id = PeerID(text: row.text(0)), let json = try? JSON.parse(row.text(1)) else {
        return nil
      }
      var fields = Fields(json)
      var node = FogNode(id: id, report: NodeReport(&fields), at: row.integer(4))
      node.isDraining = row.flag(2)
      node.removedAt = row.optionalInteger(3)
      node.seenAt = row.integer(5)
      node.activeMilliseconds = row.count(6)
      node.trust = Trust(at: row.integer(9))
      node.trust.successes = row.real(7)
      node.trust.failures = row.real(8)
      node.trust.latencyMilliseconds = row.optionalReal(10)
      node.completed = row.count(11)
      node.failed = row.count(12)
      node.lost = row.count(13)
      return node
    }.compactMap(\.self)
  }

  /// Writes a node, new or known.
  package static func put(
    _ node: FogNode,
    _ connection: inout Connection
  ) throws(StorageError) {
    try connection.run(
      """
      INSERT INTO fog_nodes (id, report, is_draining, removed_at, registered_at, seen_at, active_ms,
        successes, failures, trust_at, latency_ms, completed, failed, lost)
      VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14)
      ON CONFLICT (id) DO UPDATE SET report = ?2, is_draining = ?3, removed_at = ?4, seen_at = ?6,
        active_ms = ?7, successes = ?8, failures = ?9, trust_at = ?10, latency_ms = ?11,
        completed = ?12, failed = ?13, lost = ?14
      """,
      [
        .text("\(node.id)"), .text(node.report.json.text), .flag(node.isDraining),
        node.removedAt.map(SQLValue.integer) ?? .null, .integer(node.registeredAt),
        .integer(node.seenAt), .count(node.activeMilliseconds), .real(node.trust.successes),
        .real(node.trust.failures), .integer(node.trust.at),
        node.trust.latencyMilliseconds.map(SQLValue.real) ?? .null, .count(node.completed),
        .count(node.failed), .count(node.lost),
      ]
    )
  }
}
