import Glibc
import Synchronization

/// Takes one file of the plugins directory through all steps of a load.
final class PluginLoader: Sendable {
  /// Where libraries are that are named without a slash.
  let libraryDirectory: String
  private let dataDirectory: String
  private let stage: GenerationStage
  private let host: HostResources
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
  }

  /// Loads and activates a plugin.
  ///
  /// - Parameters:
  ///   - file: Enabled.
  ///   - taken: Ids of the plugins that run, with their files.
  /// - Returns: The active instance.
  /// - Throws: `PluginFileError`; everything the plugin declared is taken back.
  func load(_ file: PluginFile, taken: [String: String]) throws(PluginFileError) -> PluginInstance {
    let instance = try make(file, taken: taken)
    do throws(PluginInstance.LifeError) {
      try instance.activate()
      return instance
    } catch {
      rollBack(instance, after: error)
      throw fault(file, error.description)
    }
  }

  /// Loads, creates and destroys a plugin.
  func check(_ file: PluginFile) throws(PluginFileError) -> PluginReport {
    let instance = try make(file, taken: [:])
    var report = PluginRegistry.report(on: instance, file: file)
    report.state = .loaded
    let (_, reason) = end(instance, by: MonotonicClock.now + 5_000_000_000)
    report.reason = reason
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
    host.health.stop(instance.id)
    guard waits.isEmpty else {
      instance.withdraw()
      let reason = "still waiting for \(waits.joined(separator: ", "))"
      instance.log(.warning, "the plugin did not stop in time", [("reason", reason)])
      return (.retired, reason)
    }
    switch instance.library.close(obstacle: instance.destroy()) {
    case .unloaded: return (.unloaded, "")
    case .retired(let reason): return (.retired, reason)
    }
  }

  private func make(
    _ file: PluginFile,
    taken: [String: String]
  ) throws(PluginFileError) -> PluginInstance {
    let library = try open(file)
    if let other = taken[library.id] {
      _ = library.close(obstacle: nil)
      throw fault(
        file,
        "the plugin \"\(library.id)\" is loaded already, from \(other); disable one of the files"
      )
    }
    guard let context = ContextTable.reserve() else {
      _ = library.close(obstacle: nil)
      throw fault(file, "\(ContextTable.capacity) plugins are loaded; no more are possible")
    }
    let directory = "\(dataDirectory)/plugins/\(library.id)"
    do { try Directory.make(directory) } catch {
      ContextTable.release(context)
      _ = library.close(obstacle: nil)
      throw fault(file, "its data directory cannot be made: \(error)")
    }
    let instance = PluginInstance(
      library: library,
      generation: nextGeneration(of: library.id),
      context: context,
      directory: directory,
      ceilings: file.ceilings,
      host: host
    )
    ContextTable.bind(context, to: instance)
    host.health.run(library.id, version: library.version)
    do {
      try instance.create(settings: file.settings)
      return instance
    } catch {
      rollBack(instance, after: error)
      throw fault(file, error.description)
    }
  }

  private func open(_ file: PluginFile) throws(PluginFileError) -> any PluginCode {
    let candidates = file.candidates(in: libraryDirectory)
    guard let source = candidates.first(where: { unsafe access($0, F_OK) == 0 }) else {
      throw PluginFileError(
        file: file.path,
        position: file.libraryPosition,
        fault: .libraryNotFound(file.library, looked: candidates)
      )
    }
    do {
      return try PluginLibrary(source: source, label: file.label, stage: stage)
    } catch {
      throw fault(file, error.description)
    }
  }

  private func rollBack(_ instance: PluginInstance, after error: PluginInstance.LifeError) {
    instance.withdraw()
    host.health.remove(instance.id)
    if case .hangs = error {
      _ = instance.endWithoutAsking(by: MonotonicClock.now)
      instance.log(.error, "the plugin hangs; its code stays mapped", [("error", "\(error)")])
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
      return
    }
    _ = instance.library.close(obstacle: instance.destroy())
  }

  private func nextGeneration(of id: String) -> UInt32 {
    generations.withLock { generations in
      generations[id, default: 0] += 1
      return generations[id, default: 1]
    }
  }

  private func fault(_ file: PluginFile, _ reason: String) -> PluginFileError {
    PluginFileError(file: file.path, position: file.libraryPosition, fault: .load(reason))
  }

  static func besideTheBinary() -> String {
    let text = Directory.absolute("/proc/self/exe") ?? ""
    guard let slash = text.lastIndex(of: "/") else { return "." }
    return String(text[..<slash])
  }
}
