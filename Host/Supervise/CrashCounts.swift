package import Wire

/// What the supervisor has counted since the gateway was started; upgrades do not begin it anew.
package struct CrashCounts: Sendable, Equatable {
  /// Serving processes that ended unasked.
  package var crashes: Int64
  /// Starts of a process in the place of one that had ended.
  package var restarts: Int64

  package init(crashes: Int64 = 0, restarts: Int64 = 0) {
    self.crashes = crashes
    self.restarts = restarts
  }

  /// Reads what `json` wrote; `nil` comes of anything else.
  package init?(_ json: JSON?) {
    guard let crashes = json?["crashes"]?.asInteger, let restarts = json?["restarts"]?.asInteger
    else { return nil }
    self.init(crashes: crashes, restarts: restarts)
  }

  /// The counts as a JSON object.
  package var json: JSON { ["crashes": .integer(crashes), "restarts": .integer(restarts)] }
}
