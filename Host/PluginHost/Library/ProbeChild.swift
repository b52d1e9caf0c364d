import CLinux
import Glibc

/// The child's part of a probe.
package enum ProbeChild {
  /// Tries one plugin and writes the verdict for the parent.
  ///
  /// - Parameters:
  ///   - arguments: File, library directory, temporary data directory, and a library in place of the file's or nothing.
  ///   - environment: For the limits.
  /// - Returns: The exit status: 0 when the plugin passed, 1 when not, 2 when called by hand.
  package static func run(_ arguments: [String], environment: [String: String]) -> Int32 {
    guard arguments.count == 4, fcntl(ChildProcess.reportDescriptor, F_GETFD) >= 0 else { return 2 }
    linux_live_with_parent()
    let output = ChildProcess.reportDescriptor
    // A grandchild must not keep the parent waiting for the end of the verdict.
    _ = fcntl(output, F_SETFD, FD_CLOEXEC)
    let verdict = check(arguments, environment)
    let bytes = PluginProbe.encode(verdict)
    guard (try? Directory.writeAll(output, bytes[...])) != nil, case .passed = verdict else {
      return 1
    }
    return 0
  }

  private static func check(
    _ arguments: [String],
    _ environment: [String: String]
  ) -> PluginProbe.Verdict {
    let file = arguments[0]
    // Only the limits count here; what is wrong with other settings is said by whoever reads them.
    var settings = (try? Settings.read(environment)) ?? Settings()
    // What is wrong elsewhere must not turn this off; a value that is wrong itself counts as on.
    if let flag = environment["REQUIRE_SIGNED"], !flag.isEmpty {
      settings.requireSigned = (try? SettingsValue.flag(flag)) ?? true
    }
    settings.libraryDirectory = arguments[1]
    settings.dataDirectory = arguments[2]
    let server = NoServer()
    do {
      // The plugin's own lines go nowhere: the parent shows them when it loads the plugin itself.
      let writer = try LogWriter(output: STDOUT_FILENO)
      let log = Log(writer: writer, level: .error, format: .text)
      let pool = try WorkerPool(
        threads: settings.limits.poolThreads,
        queue: settings.limits.poolQueue
      )
      let registry = try PluginRegistry(
        settings: settings,
        log: log,
        sink: server,
        outlet: server,
        pool: pool,
        metrics: MetricsRegistry(),
        health: HealthBoard()
      )
      return .passed(try registry.check(file, library: arguments[3].isEmpty ? nil : arguments[3]))
    } catch let error as PluginFileError {
      return .failed(error)
    } catch {
      return .failed(PluginFileError(file: file, position: nil, fault: .load("\(error)")))
    }
  }
}
