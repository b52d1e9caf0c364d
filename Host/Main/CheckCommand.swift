import Gateway
import Glibc

/// The verb `check`: says what is wrong with the settings and the plugins, without serving.
enum CheckCommand {
  private static let usage = """
    usage: gateway check [FILE...]
    Checks the environment and every file of PLUGINS_DIR, or only the files named. Each plugin is loaded and created
    in a child process of its own, with a temporary data directory. Exit status 1 when anything is wrong.
    A library by itself is tested by `gateway plugin check`.
    """

  /// Runs the verb.
  ///
  /// - Parameters:
  ///   - arguments: What follows `check`.
  ///   - environment: The variables of the process.
  /// - Returns: The exit status: 0 nothing is wrong, 1 something is, 2 not understood.
  static func run(_ arguments: ArraySlice<String>, environment: [String: String]) -> Int32 {
    if let option = arguments.first(where: { $0.hasPrefix("-") }) {
      guard option == "--help" || option == "-h" else {
        StandardError.write("\(option.debugDescription): there is no such option\n\(usage)")
        return 2
      }
      print(usage)
      return 0
    }
    var isGood = true
    var settings = Settings()
    do {
      settings = try Settings.read(environment)
    } catch {
      isGood = false
      // The places of plugins may be right although another variable is wrong.
      settings.pluginsDirectory = environment["PLUGINS_DIR"] ?? settings.pluginsDirectory
      settings.libraryDirectory = environment["LIBRARY_DIR"] ?? ""
      print(error.problems.map { "environment: error: \($0)" }.joined(separator: "\n"))
    }
    if let library = arguments.first(where: { $0.hasSuffix(".so") }) {
      StandardError.write(
        "\(library): this is a library; test it with: gateway plugin check \(library)\n\(usage)"
      )
      return 2
    }
    let files = arguments.isEmpty ? listed(settings.pluginsDirectory) : Array(arguments)
    guard let files else { return 1 }
    let areGood = check(files, settings)
    if arguments.isEmpty {
      for path in PluginFile.passedOver(in: settings.pluginsDirectory) {
        print("\(path): passed over; only names that end in .json or .jsonc are read")
      }
    }
    return isGood && areGood ? 0 : 1
  }

  /// Runs the hidden verb that `PluginProbe` starts.
  static func runOne(_ arguments: ArraySlice<String>, environment: [String: String]) -> Int32 {
    ProbeChild.run(Array(arguments), environment: environment)
  }

  private static func check(_ files: [String], _ settings: Settings) -> Bool {
    var check = PluginCheck(
      probe: PluginProbe(),
      libraries: settings.libraryDirectory,
      reserved: BuiltIn.reserved
    )
    var isGood = true
    for file in files {
      switch check.check(file) {
      case .disabled: print("\(file): disabled")
      case .passed(let report):
        let stays = report.reason.isEmpty ? "" : "; its code stays mapped: \(report.reason)"
        let taint =
          report.taint.isEmpty ? "" : "; its load is forced and taints the gateway: \(report.taint)"
        print(
          "\(file): ok: \(report.name) \(report.version), routes: \(report.routes.count)\(stays)\(taint)"
        )
      case .failed(let error):
        print(error)
        isGood = false
      }
    }
    if files.isEmpty { print("\(settings.pluginsDirectory): no plugins") }
    return isGood
  }

  private static func listed(_ directory: String) -> [String]? {
    do {
      return try PluginFile.paths(in: directory)
    } catch {
      print("\(directory): error: the plugins directory cannot be read: \(error); set PLUGINS_DIR")
      return nil
    }
  }
}
