/// Changes what all loops serve, and returns when they have followed.
package final class RouteSwitch: RouteHost {
  private let core: Core
  private let ends: [ServerEnd]
  private let patience: Duration

  /// - Parameters:
  ///   - core: What the loops share.
  ///   - ends: One for each loop, also of loops that have not begun.
  ///   - patience: How long a loop is waited for; one that does not come back is named in the log.
  package init(core: Core, ends: [ServerEnd], patience: Duration = .seconds(10)) {
    self.core = core
    self.ends = ends
    self.patience = patience
  }

  package func publish(_ routes: [PluginRoute], topics: [TopicDeclaration]) {
    core.publish(RouteTable(pluginRoutes: routes), topics: topics)
    waitForLoops("routes")
  }

  package func hold(_ plugin: String) {
    core.hold(plugin, true)
    waitForLoops("hold")
  }

  package func cancel(_ context: UInt64) {
    waitForLoops("cancel") { $0.cancelAll(of: context) }
  }

  package func release(_ plugin: String) {
    core.hold(plugin, false)
    waitForLoops("release") { $0.takeUpParked() }
  }

  /// Runs `work` on every loop and waits for all.
  ///
  /// A loop begins a request in one go: once it has run a job posted after a change, what it began along the old
  /// routes is counted in `inFlight`. The only thing that keeps a loop for long is an inline handler, which runs after
  /// its request was counted; so giving up on such a loop breaks no promise, it only leaves waiting requests waiting.
  private func waitForLoops(
    _ change: String,
    _ work: @escaping @Sendable (Server) -> Void = { _ in }
  ) {
    let deadline = MonotonicClock.now + patience.nanoseconds
    let visits = ends.map { end in
      end.visit { server in
        server.follow()
        work(server)
      }
    }
    for (index, visit) in visits.enumerated() {
      guard let visit, !ends[index].hasRun(visit, by: deadline) else { continue }
      core.log.write(
        .warning,
        "a loop has not followed a change in time; an inline handler keeps it",
        [("loop", "\(index)"), ("change", change), ("seconds", "\(patience.components.seconds)")]
      )
    }
  }
}
