import Gateway

/// The verb `plugin`: hands over to the verb behind it, one file for each.
enum PluginCommand {
  private static let usage = """
    usage: gateway plugin list                   what the running gateway has loaded
           gateway plugin reload NAME            swaps a plugin to its library as it is on disk
           gateway plugin enable|disable NAME    switches a plugin on or off, in its file too
           gateway plugin rescan                 makes everything what plugins.d and the libraries say
           gateway plugin new --lang LANG NAME   makes the project of a plugin, in C, Rust or Swift
           gateway plugin check LIBRARY          tests a library; files of plugins.d: gateway check
           gateway plugin sign --key FILE LIBRARY
                                                 signs a library
           gateway plugin verify LIBRARY         says who signed a library
    Where a verb asks a gateway, it is the one that runs with the same DATA_DIR. --help behind a verb says more.
    """

  /// Runs the verb.
  ///
  /// - Parameters:
  ///   - arguments: What follows `plugin`.
  ///   - environment: The variables of the process.
  /// - Returns: The exit status: 0 done, 1 not done, 2 not understood.
  static func run(_ arguments: ArraySlice<String>, environment: [String: String]) -> Int32 {
    let rest = arguments.dropFirst()
    switch arguments.first {
    case "list": return PluginListCommand.run(rest, environment: environment)
    case "reload", "enable", "disable", "rescan":
      return PluginChangeCommand.run(
        arguments.first ?? "",
        rest,
        environment: environment
      )
    case "new": return PluginNewCommand.run(rest)
    case "check": return PluginCheckCommand.run(rest)
    case "sign": return PluginSignCommand.sign(rest)
    case "verify": return PluginSignCommand.verify(rest)
    case "--help", "-h", "help":
      print(usage)
      return 0
    case let verb?:
      StandardError.write("plugin \(verb.debugDescription): there is no such verb\n\(usage)")
      return 2
    case nil:
      StandardError.write(usage)
      return 2
    }
  }
}
