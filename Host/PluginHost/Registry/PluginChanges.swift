import Glibc
import Synchronization

/// Changes to the plugins of a running gateway.
///
/// All of them block until they are done, seconds if need be, and are made one after the other; call them from a
/// thread that may wait, never from a loop's or the pool's.
extension PluginRegistry {
  /// Replaces a plugin by its library as it is on disk now, also when that is what runs.
  ///
  /// - Parameters:
  ///   - name: The plugin's id, or the name of its file, whole or without number and extension.
  ///   - force: Ends jobs that an earlier generation still runs, and drops state that the new build cannot read.
  /// - Returns: What was done.
  package func reload(_ name: String, force: Bool = false) -> ChangeReport {
    change("reload", name) { entry throws(PluginFileError) in
      let file = try PluginFile(path: entry.path)
      guard file.isEnabled else {
        throw self.loader.fault(file, "the plugin is disabled; gateway plugin enable \(name)")
      }
      return .serve(file, force: force)
    }
  }

  /// Switches a plugin on, in its file too.
  package func enable(_ name: String) -> ChangeReport {
    change("enable", name) { entry throws(PluginFileError) in
      try PluginFileEdit.setEnabled(true, in: entry.path)
      let file = try PluginFile(path: entry.path)
      return entry.instance == nil ? .serve(file, force: false) : .nothing
    }
  }

  /// Switches a plugin off, in its file too.
  package func disable(_ name: String) -> ChangeReport {
    change("disable", name) { entry throws(PluginFileError) in
      try PluginFileEdit.setEnabled(false, in: entry.path)
      return entry.instance == nil && entry.report.state == .disabled ? .nothing : .stop(.disabled)
    }
  }

  /// Makes the running plugins what the plugins directory and the libraries say now.
  ///
  /// - Returns: One report for each plugin that was, or should have been, changed. Without its directory nothing is
  ///   changed, which one report says: it may be about to come back.
  package func rescan() -> [ChangeReport] {
    let known = entries.withLock { $0.map(\.path) }
    let found: [String]
    do { found = try PluginFile.paths(in: settings.pluginsDirectory) } catch {
      let report = ChangeReport(
        change: "load",
        plugin: settings.pluginsDirectory,
        outcome: .failed,
        message:
          "the plugins directory (PLUGINS_DIR) cannot be read, so nothing is changed; disable plugins to end them: \(error)"
      )
      log.write(.warning, report.message, [("path", settings.pluginsDirectory)])
      return [report]
    }
    return (known + found.filter { !known.contains($0) }).compactMap(reconcile)
  }

  /// Makes what runs of one file what the file and its library say now.
  ///
  /// - Parameter path: In the plugins directory.
  /// - Returns: What was done; `nil` when there was nothing to do.
  package func reconcile(_ path: String) -> ChangeReport? {
    // What cannot be looked at is not gone.
    let isThere = unsafe access(path, F_OK) == 0 || errno != ENOENT
    let isKnown = entries.withLock { entries in
      if !isThere || entries.contains(where: { $0.path == path }) {
        return entries.contains { $0.path == path }
      }
      entries.append(Entry(path: path, report: Self.report(path, .disabled)))
      entries.sort { $0.path.utf8.lexicographicallyPrecedes($1.path.utf8) }
      return true
    }
    guard isKnown else { return nil }
    let report = change("load", path, isPath: true) { entry throws(PluginFileError) in
      guard isThere else { return .forget }
      return try self.wish(for: entry)
    }
    return report.outcome == .unchanged ? nil : report
  }

  // MARK: - How a change is made

  /// What is to become of an entry.
  private enum Wish {
    case nothing
    case serve(PluginFile, force: Bool)
    case stop(PluginReport.State)
    /// Stop it, and know nothing of its file any more.
    case forget
  }

  private func wish(for entry: Entry) throws(PluginFileError) -> Wish {
    let file = try PluginFile(path: entry.path)
    guard file.isEnabled else { return entry.instance == nil ? .nothing : .stop(.disabled) }
    guard let source = loader.source(of: file) else { return .serve(file, force: false) }
    let digest = try? GenerationStage.digest(of: source)
    if let leftOut = entry.leftOut, digest == leftOut, !file.isIsolated { return .nothing }
    guard let instance = entry.instance, entry.file == file else {
      return .serve(file, force: false)
    }
    guard digest != instance.library.digest, digest == nil || digest != entry.rejected else {
      return .nothing
    }
    return .serve(file, force: false)
  }

  /// Waits for its turn; `false` when no change is made any more.
  private func beginChange() -> Bool {
    turn.wait { turn in
      if turn.isOver { return false }
      if turn.isTaken { return nil }
      turn.isTaken = true
      return true
    } ?? false
  }

  private func endChange() {
    turn.withLock { $0.isTaken = false }
    turn.wakeAll()  // one may wait for a change, another for the end of all
  }

  private func change(
    _ change: String,
    _ name: String,
    isPath: Bool = false,
    _ wish: (Entry) throws(PluginFileError) -> Wish
  ) -> ChangeReport {
    var report = ChangeReport(change: change, plugin: name, outcome: .failed, message: "")
    guard beginChange() else {
      report.message = "the gateway is stopping"
      return report
    }
    defer { endChange() }
    guard let entry = isPath ? entry(at: name) : entry(named: name) else {
      report.message = "there is no plugin \"\(name)\"; gateway plugin list shows what there is"
      report.isUnknown = true
      return report
    }
    report.plugin = entry.report.name
    report.generationBefore = entry.instance?.generation
    report.generationAfter = entry.instance?.generation
    var predecessor: Predecessor?
    do throws(PluginFileError) {
      switch try wish(entry) {
      case .nothing:
        report.outcome = .unchanged
        report.message = "it is so already"
        return report
      case .serve(let file, let force):
        host.quarantine.lift(entry.report.name)
        update(entry.path) { $0.leftOut = nil }
        predecessor = serve(entry, file, force: force, &report)
      case .stop(let state): stop(entry, as: state, &report)
      case .forget:
        stop(entry, as: .disabled, &report)
        if report.outcome == .done { forget(entry) }
      }
    } catch {
      report.message = error.description
      remember(failure: error, of: entry)
    }
    conclude(report, path: entry.path)
    predecessor?.follow(self)  // after that, for its own steps are added to the report
    return report
  }

  private func entry(at path: String) -> Entry? {
    entries.withLock { $0.first { $0.path == path } }
  }

  /// The plugin that runs as `name`; else the one whose file is called so.
  private func entry(named name: String) -> Entry? {
    entries.withLock { entries in
      entries.first { $0.instance?.id == name }
        ?? entries.first {
          $0.report.name == name || $0.report.file == name
            || PluginFile.label(ofFile: $0.report.file) == name
        }
    }
  }

  /// Logs and keeps a report.
  private func conclude(_ report: ChangeReport, path: String) {
    count(report.change, report.plugin, report.outcome)
    update(path) { $0.last = report }
    log.write(
      report.outcome == .failed ? .error : .info,
      "plugin \(report.change) \(report.outcome.rawValue)",
      [
        ("plugin", report.plugin), ("message", report.message),
        ("steps", report.steps.map(\.text).joined(separator: "; ")),
      ]
    )
  }

  func update(_ path: String, _ change: (inout Entry) -> Void) {
    entries.withLock { entries in
      guard let index = entries.firstIndex(where: { $0.path == path }) else { return }
      change(&entries[index])
    }
  }

  private func remember(failure error: PluginFileError, of entry: Entry) {
    guard entry.instance == nil else { return }
    update(entry.path) { entry in
      entry.report.state = .failed
      entry.report.reason = error.description
    }
    if let entry = self.entry(at: entry.path) { showFailure(of: entry) }
  }

  /// Has a new generation of the plugin serve; gives the one before, to be followed.
  private func serve(
    _ entry: Entry,
    _ file: PluginFile,
    force: Bool,
    _ report: inout ChangeReport
  ) -> Predecessor? {
    if let waits = entry.predecessor?.conclude(endsJobs: force) {
      report.message =
        "the generation before still waits for \(waits); let it end, or end it with --force"
      return nil
    }
    // It may have gone back meanwhile.
    let old = entries.withLock { $0.first { $0.path == entry.path }?.instance }
    report.generationBefore = old?.generation
    let ills = old.flatMap { host.health.checks(of: $0.id, now: MonotonicClock.now)?.failing } ?? []
    var swap = PluginSwap(
      loader: loader,
      host: host,
      probe: probe,
      routeHost: routeHost,
      old: old,
      dropsState: force
    )
    let new: PluginInstance
    do throws(PluginFileError) {
      new = try swap.perform(file, try loader.copy(file), taken: taken(except: entry.path))
    } catch {
      report.steps = swap.steps
      report.message = error.description
      report.generationAfter = old?.generation
      remember(failure: error, of: entry)
      return nil
    }
    report.plugin = new.id
    let predecessor = install(new, of: entry.path, file, after: old, swap: &swap, ills: ills)
    report.steps = swap.steps
    report.outcome = .done
    report.generationAfter = new.generation
    report.message = Self.message(on: new, after: old, probation: host.limits.probation)
    logActive(new, after: report.steps.reduce(.zero) { $0 + $1.duration })
    return predecessor
  }

  /// Moves everything to `new` at once.
  private func install(
    _ new: PluginInstance,
    of path: String,
    _ file: PluginFile,
    after old: PluginInstance?,
    swap: inout PluginSwap,
    ills: [String]
  ) -> Predecessor? {
    let predecessor = old.map { old in
      Predecessor(
        old: old,
        new: new,
        path: path,
        hasMovedJobs: swap.hasEndedJobs,
        ills: ills,
        loader: loader,
        host: host,
        routeHost: routeHost
      )
    }
    hideFailure(of: path)
    old?.park()
    new.begin()
    update(path) { entry in
      entry.report = PluginReport(new, file: file)
      entry.file = file
      entry.instance = new
      entry.predecessor = predecessor
      entry.rejected = nil
    }
    publish()
    swap.release()
    swap.note("switch", "\(new.routes.count) routes")
    return predecessor
  }

  private static func message(
    on new: PluginInstance,
    after old: PluginInstance?,
    probation: Duration
  ) -> String {
    guard let old else { return "generation \(new.generation) of \(new.id) \(new.version) serves" }
    let kept =
      probation > .zero
      ? "; generation \(old.generation) is kept for \(SettingsValue.secondsText(probation)) s" : ""
    return "generation \(new.generation) of \(new.id) \(new.version) serves\(kept)"
  }

  /// Ends the plugin.
  private func stop(_ entry: Entry, as state: PluginReport.State, _ report: inout ChangeReport) {
    let began = MonotonicClock.now
    let deadline = began + host.limits.drainTime.nanoseconds
    if let waits = entry.predecessor?.conclude(endsJobs: true, by: deadline) {
      report.message = "the generation before still waits for \(waits); try again"
      return
    }
    let instance = entries.withLock { $0.first { $0.path == entry.path }?.instance }
    var name = entry.report.name
    if let instance {
      update(entry.path) { $0.instance = nil }
      publish()
      if !instance.hasNoRequests(by: deadline) { routeHost?.cancel(instance.context) }
      instance.conceal()
      publish()  // its topics are gone with its last requests
      let (ended, reason) = loader.end(instance, by: deadline + 5_000_000_000)
      let words = reason.isEmpty ? ended.rawValue : "\(ended.rawValue): \(reason)"
      report.steps.append(
        .init(name: "drain", duration: .nanoseconds(MonotonicClock.now - began), detail: words)
      )
      name = instance.id
    } else {
      hideFailure(of: entry.path)
    }
    update(entry.path) { entry in
      entry.report = Self.report(entry.path, state)
      entry.report.name = name
      entry.file = nil
      entry.leftOut = nil
      entry.predecessor = nil
    }
    report.generationAfter = nil
    report.outcome = .done
    report.message = "\(name) is off"
  }

  private func forget(_ entry: Entry) {
    hideFailure(of: entry.path)
    let name = entry.instance?.id ?? entry.report.name
    if !isShown(name, apartFrom: entry.path) { host.health.remove(name) }
    entries.withLock { entries in entries.removeAll { $0.path == entry.path } }
  }
}
