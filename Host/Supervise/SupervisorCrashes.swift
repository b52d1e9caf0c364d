import CLinux
import Glibc
import Wire

/// What a supervisor notes of crashes.
extension Supervisor {
  /// Keeps and counts a report, and leaves the plugin out whose code crashes too often.
  func note(_ process: ServingProcess, _ end: CInt, _ code: CrashReport.Code?) {
    let report = CrashReport(
      time: linux_realtime(),
      process: process.number,
      end: process.endWords(end),
      code: code
    )
    log.write(.error, "the serving process has crashed", report.fields)
    keep { journal throws(SystemError) in try journal.add(report) }
    counts.crashes += 1
    if let current { ServingMessage.counted(counts).send(on: current.channel) }
    guard let plugin = code?.plugin else { return }
    let window = settings.limits.crashWindow
    let start = max(since, report.time - window.nanoseconds)
    let count = journal.count(of: plugin, since: start)
    guard count >= settings.limits.crashes, leftOut[plugin] == nil else { return }
    let place = code.map { $0.label.isEmpty ? $0.step : "\($0.step) of \($0.label)" } ?? ""
    let fate = settings.crashPolicy == .isolate ? "isolated" : "left out"
    leftOut[plugin] =
      "it is \(fate), having crashed the gateway \(count) times within "
      + "\(SettingsValue.secondsText(window)) s, last in \(place) (\(report.end)); "
      + "replace it, then: gateway plugin reload \(plugin)"
    log.write(.error, "a plugin is to be \(fate)", [("plugin", plugin), ("crashes", "\(count)")])
  }

  /// Requests are taken, if they were not.
  func isServingAgain() {
    hasServed = true
    restart = nil
    if let current { ServingMessage.counted(counts).send(on: current.channel) }
    guard isDown else { return }
    isDown = false
    var report: CrashReport?
    keep { journal throws(SystemError) in
      report = try journal.recovered(now: linux_realtime())
    }
    if let report { log.write(.warning, "serving again after a crash", report.fields) }
  }

  private func keep(_ change: (inout CrashJournal) throws(SystemError) -> Void) {
    do throws(SystemError) { try change(&journal) } catch {
      log.write(.error, "cannot write crashes.jsonl (DATA_DIR)", [("error", "\(error)")])
    }
  }
}
