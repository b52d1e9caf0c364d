import Glibc
import Synchronization

/// Takes one file of the plugins directory through the steps of a load, and an instance through those of its end.
final class PluginLoader: Sendable {
  /// A private copy of the library that a file names.
  struct Staged: Sendable {
    let file: PluginFile
    /// The library itself.
    let source: String
    let copy: GenerationStage.Copy
  }

  /// Where libraries are that are named without a slash.
  let libraryDirectory: String
  private let dataDirectory: String
  private let stage: GenerationStage
  private let host: HostResources
  private let signatures: SignatureGate
  private let generations = Mutex<[String: UInt32]>([:])

  init(settings: Settings, host: HostResources) throws(SystemError) {
    try Directory.make(settings.dataDirectory)
    guard let absolute = Directory.absolute(settings.dataDirectory) else {
      throw SystemError(call: "realpath", code: ENOENT)
    }
    try Directory.make("\(absolute)/plugins")
    dataDirectory = absolute
    libraryDirectory =
      settings.libraryDirectory.isEmpty ? Self.besideTheBinary() : settings.libraryDirectory
    stage = try GenerationStage(dataDirectory: absolute)
    self.host = host
    signatures = SignatureGate(
      isRequired: settings.requireSigned,
      health: host.health,
      log: host.log
    )
  }

  /// The library that `file` names; `nil` when it is in none of the places.
  func source(of file: PluginFile) -> String? {
    file.candidates(in: libraryDirectory).first { unsafe access($0, F_OK) == 0 }
  }

  /// Copies the library of `file`: what happens to it afterwards is of no matter.
  ///
  /// - Parameters:
  ///   - file: Enabled.
  ///   - library: In place of the one that the file names.
  /// - Returns: The copy; open it, or discard it.
  /// - Throws: `PluginFileError`: it is not there, or cannot be copied.
  func copy(_ file: PluginFile, library: String? = nil) throws(PluginFileError) -> Staged {
    guard let source = library ?? source(of: file) else {
      throw PluginFileError(
        file: file.path,
        position: file.libraryPosition,
        fault: .libraryNotFound(file.library, looked: file.candidates(in: libraryDirectory))
      )
    }
    do {
      return Staged(file: file, source: source, copy: try stage.copy(source, label: file.label))
    } catch {
      throw fault(file, PluginLibrary.Refusal.unreadable(error).description)
    }
  }

  /// Removes the copy of a library that is not opened.
  func discard(_ staged: Staged) { stage.remove(staged.copy) }

  /// Opens the copy; it is removed if that fails.
  ///
  /// - Throws: `PluginFileError`; of the plugin nothing has run but its constructors and its entry.
  func open(_ staged: Staged) throws(PluginFileError) -> any PluginCode {
    let library: any PluginCode
    do throws(PluginFileError) {
      // The signature is beside the library that the file names, also when a copy of it is tried.
      let source = source(of: staged.file) ?? staged.source
      library = try signatures.pass(staged.file, source: source, digest: staged.copy.digest) {
        () throws(PluginFileError) in
        if staged.file.isIsolated {
          do throws(IsolatedCode.Refusal) {
            return try IsolatedCode(staged.file, copy: staged.copy, stage: stage, host: host)
          } catch { throw fault(staged.file, error.description) }
        }
        do throws(PluginLibrary.Refusal) {
          return try PluginLibrary(copy: staged.copy, stage: stage)
        } catch { throw fault(staged.file, error.description) }
      }
    } catch {
      stage.remove(staged.copy)
      throw error
    }
    // In a process of its own it cannot crash the gateway.
    guard !staged.file.isIsolated,
      let reason = host.quarantine.refusal(of: library.id, file: staged.file.label)
    else { return library }
    _ = library.close(obstacle: nil)  // the copy is gone with it
    guard host.quarantine.isolates else { throw fault(staged.file, reason) }
    host.log.write(.warning, "a plugin is isolated", [("plugin", library.id), ("reason", reason)])
    var file = staged.file
    file.isIsolated = true
    return try open(try copy(file, library: staged.source))
  }

  /// Makes a generation: everything up to its create, and what it declares is its own from then on.
  ///
  /// - Parameters:
  ///   - code: Is closed if this fails.
  ///   - file: For its settings and limits.
  /// - Returns: The created generation.
  /// - Throws: `PluginFileError`; nothing is left.
  func create(_ code: any PluginCode, _ file: PluginFile) throws(PluginFileError) -> PluginInstance
  {
    guard let context = ContextTable.reserve() else {
      _ = code.close(obstacle: nil)
      throw fault(file, "\(ContextTable.capacity) plugins are loaded; no more are possible")
    }
    let directory = "\(dataDirectory)/plugins/\(code.id)"
    do { try Directory.make(directory) } catch {
      ContextTable.release(context)
      _ = code.close(obstacle: nil)
      throw fault(file, "its data directory cannot be made: \(error)")
    }
    let instance = PluginInstance(
      library: code,
      generation: nextGeneration(of: code.id),
      context: context,
      directory: directory,
      ceilings: file.ceilings,
      host: host
    )
    ContextTable.bind(context, to: instance)
    do {
      try instance.create(settings: file.settings)
      return instance
    } catch {
      rollBack(instance, after: error)
      throw fault(file, error.description)
    }
  }

  /// Takes back a generation whose `error` stopped it before it served.
  func rollBack(_ instance: PluginInstance, after error: PluginInstance.LifeError) {
    instance.withdraw()
    if case .hangs = error {
      _ = instance.endWithoutAsking(by: MonotonicClock.now)
      instance.log(.error, "the plugin hangs; its code stays mapped", [("error", "\(error)")])
      retire(instance, reason: "\(error)")
      return
    }
    let grace = MonotonicClock.now + 2_000_000_000
    let waits = instance.endWithoutAsking(by: grace)
    guard waits.isEmpty else {
      let reason = waits.joined(separator: ", ")
      instance.log(
        .error,
        "the failed plugin still runs; its code stays mapped",
        [("reason", reason)]
      )
      retire(instance, reason: reason)
      return
    }
    if case .retired(let reason) = instance.library.close(obstacle: instance.destroy()) {
      host.retired.add(instance, reason: reason)
    }
  }

  /// Tries a file without keeping it: load, create, self-test, destroy.
  ///
  /// - Parameters:
  ///   - file: Enabled.
  ///   - library: In place of the one that the file names.
  /// - Returns: What the plugin said of itself.
  /// - Throws: `PluginFileError` with the first fault.
  func check(_ file: PluginFile, library: String?) throws(PluginFileError) -> PluginReport {
    let instance = try create(try open(try copy(file, library: library)), file)
    do { try instance.selfTest() } catch {
      rollBack(instance, after: error)
      throw fault(file, error.description)
    }
    var report = PluginReport(instance, file: file)
    report.state = .loaded
    let (_, reason) = end(instance, by: MonotonicClock.now + 5_000_000_000)
    report.reason = reason
    report.taint = host.health.taint.plugins[instance.id] ?? ""
    return report
  }

  /// Quiesces, destroys and unloads.
  ///
  /// - Parameters:
  ///   - instance: Created, or active.
  ///   - deadline: In nanoseconds of the monotonic clock.
  /// - Returns: What became of the code, and why it stays mapped if it does.
  func end(
    _ instance: PluginInstance,
    by deadline: Int64
  ) -> (state: PluginReport.State, reason: String) {
    let waits = instance.quiesce(by: deadline)
    guard waits.isEmpty else {
      instance.withdraw()
      let reason = "still waiting for \(waits.joined(separator: ", "))"
      instance.log(.warning, "the plugin did not stop in time", [("reason", reason)])
      return retire(instance, reason: reason)
    }
    switch instance.library.close(obstacle: instance.destroy()) {
    case .unloaded: return (.unloaded, "")
    case .retired(let reason):
      host.retired.add(instance, reason: reason)
      return (.retired, reason)
    }
  }

  /// Leaves code mapped that still runs; a process of its own is ended instead, with whatever it still does.
  @discardableResult
  private func retire(
    _ instance: PluginInstance,
    reason: String
  ) -> (state: PluginReport.State, reason: String) {
    if instance.library.isolation != nil {
      _ = instance.library.close(obstacle: reason)
      return (.unloaded, reason)
    }
    host.retired.add(instance, reason: reason)
    return (.retired, reason)
  }

  func fault(_ file: PluginFile, _ reason: String) -> PluginFileError {
    PluginFileError(file: file.path, position: file.libraryPosition, fault: .load(reason))
  }

  private func nextGeneration(of id: String) -> UInt32 {
    generations.withLock { generations in
      generations[id, default: 0] += 1
      return generations[id, default: 1]
    }
  }

  static func besideTheBinary() -> String {
    let text = Directory.absolute("/proc/self/exe") ?? ""
    guard let slash = text.lastIndex(of: "/") else { return "." }
    return String(text[..<slash])
  }
}
