import Peering
import PluginStorage

/// How memory follows the database when another generation of the plugin has written there.
///
/// At a swap, requests and calls under way still end in the generation that was quiesced, after the new one has loaded its
/// jobs. The database is right; what differs in memory is loaded again.
extension Coordinator {
  /// Nanoseconds after `activate` within which an earlier generation may still write.
  private static let overlap: UInt64 = 120 * 1_000_000_000

  /// Compares memory with the database; every two seconds, for the first two minutes.
  package func reconcile() {
    do throws(StorageError) {
      try change { (state, _) throws(StorageError) in
        let now = around.now()
        guard now.monotonic < state.activatedAt + Self.overlap else { return }
        try reconcile(now, &state)
      }
    } catch {
      around.warn("Jobs could not be compared with the database.", "\(error)")
    }
  }

  private func reconcile(_ now: Moment, _ state: inout FogState) throws(StorageError) {
    let rows = try database.read { (connection) throws(StorageError) in
      try connection.rows(
        "SELECT id, lease FROM fog_jobs WHERE status IN ('queued', 'assigned', 'running')"
      ) { ($0.text(0), $0.optionalText(1)) }
    }
    let live = Dictionary(rows, uniquingKeysWith: { first, _ in first })
    for job in Array(state.jobs.values) where live[job.id] != .some(job.lease) {
      try reload(job.id, now, &state)
    }
    for (id, _) in rows where state.jobs[id] == nil && !state.submitting.contains(id) {
      try reload(id, now, &state)
    }
  }

  /// Puts the database's view of a job in the place of memory's.
  func reload(_ id: String, _ now: Moment, _ state: inout FogState) throws(StorageError) {
    let stored = try database.read { (connection) throws(StorageError) in
      try FogJob.find(id, &connection)
    }
    if let known = state.jobs[id] { forget(known, state.lease(of: known), now, &state) }
    guard let stored, !stored.status.isOver, stored.status.isTaken else { return }
    Self.restore(stored, now, &state)
    state.isDirty = true
  }
}
