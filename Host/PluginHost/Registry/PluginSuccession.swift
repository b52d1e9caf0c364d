import Synchronization

/// What becomes of the plugins when a replaced generation is gone back to, or is over.
extension PluginRegistry: Predecessor.Heir {
  func goBack(_ predecessor: Predecessor, reason: String) {
    let began = MonotonicClock.now
    let (old, new) = (predecessor.old, predecessor.new)
    new.park()
    old.begin()
    update(predecessor.path) { entry in
      guard let file = entry.file else { return }
      entry.report = PluginReport(old, file: file)
      entry.instance = old
      entry.rejected = new.library.digest
    }
    publish()
    let switched = MonotonicClock.now
    var report = ChangeReport(
      change: "back",
      plugin: old.id,
      outcome: .done,
      message: "went back to generation \(old.generation): \(reason)"
    )
    report.generationBefore = new.generation
    report.generationAfter = old.generation
    report.steps = [
      .init(name: "switch", duration: .nanoseconds(switched - began), detail: reason)
    ]
    count(report.change, report.plugin, report.outcome)
    update(predecessor.path) { $0.last = report }
    old.log(
      .error,
      "went back to the generation before",
      [("from", "\(new.generation)"), ("reason", reason)]
    )
    moveJobs(back: predecessor)
  }

  /// Has the jobs go on in the generation that serves again; no request waits for that.
  private func moveJobs(back predecessor: Predecessor) {
    let (old, new) = (predecessor.old, predecessor.new)
    let limit = MonotonicClock.now + PluginSwap.jobsLimit.nanoseconds
    let running = new.movesJobs ? new.endJobs(by: limit) : []
    if !running.isEmpty {
      new.log(
        .error,
        "jobs have not ended, and the generation before runs its own again",
        [("jobs", running.joined(separator: ", "))]
      )
    }
    if predecessor.hasMovedJobs { old.resumeJobs() }
  }

  func ended(_ predecessor: Predecessor, steps: [ChangeReport.Step]) {
    update(predecessor.path) { entry in
      guard entry.predecessor === predecessor else { return }
      entry.predecessor = nil
      // Not those of a change that was refused meanwhile.
      let both = Set([predecessor.old.generation, predecessor.new.generation])
      guard let last = entry.last, Set([last.generationBefore, last.generationAfter]) == both else {
        return
      }
      entry.last?.steps += steps
    }
    log.write(
      .info,
      "generation ended",
      [("plugin", predecessor.old.id), ("steps", steps.map(\.text).joined(separator: "; "))]
    )
  }
}
