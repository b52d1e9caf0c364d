import Gateway

/// `plugin new`: makes the project of a plugin.
enum PluginNewCommand {
  /// Runs the verb.
  ///
  /// - Parameter arguments: What follows `plugin new`.
  /// - Returns: The exit status: 0 done, 1 not done, 2 not understood.
  static func run(_ arguments: ArraySlice<String>) -> Int32 {
    if Array(arguments) == ["--help"] || Array(arguments) == ["-h"] {
      print(ProjectOrder.usage)
      return 0
    }
    let order: ProjectOrder
    do throws(UsageError) {
      order = try ProjectOrder(arguments)
    } catch {
      StandardError.write("\(error)\n\(ProjectOrder.usage)")
      return 2
    }
    do throws(NewProject.Failure) {
      try NewProject.make(order, binary: Directory.absolute("/proc/self/exe") ?? "")
    } catch {
      StandardError.write(error.description)
      return 1
    }
    print(
      """
      \(order.directory) is the plugin \(order.name) in \(order.language.title). In that folder:
        make        builds it
        make test   runs its tests and the gateway's validator
        make run    starts a gateway with it
        make pack   makes the archive to install
      """
    )
    return 0
  }
}
