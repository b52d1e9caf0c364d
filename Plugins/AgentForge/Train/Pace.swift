import PluginStorage

/// When a run should say where it stands, and how fast it went since it last did.
package struct Pace {
  private var start = Clock.monotonic()
  private var tokens = 0

  /// Starts the clock.
  package init() {}

  /// Counts tokens that were read.
  package mutating func add(_ count: Int) { tokens += count }

  /// Whether 50 ms have gone since the last report.
  package var isDue: Bool { Clock.monotonic() - start > 50_000_000 }

  /// Begins anew.
  ///
  /// - Returns: Tokens a second since the last call.
  package mutating func take() -> Double {
    let now = Clock.monotonic()
    let seconds = Double(now - start) / 1e9
    defer { (start, tokens) = (now, 0) }
    return Double(tokens) / max(seconds, 1e-9)
  }
}
