import Gateway
import Glibc

/// The verb `serve`.
enum ServeCommand {
  private static let usage = """
    usage: gateway serve
    Serves until SIGTERM or SIGINT. It takes no arguments: settings come from the environment, as in README.md;
    `gateway check` says what is wrong with them.
    """

  /// Serves until a signal stops the process.
  ///
  /// - Parameters:
  ///   - arguments: What follows `serve`.
  ///   - environment: The variables of the process.
  /// - Returns: The exit status: 0 stopped in order, 1 not started, 2 not understood.
  static func run(_ arguments: ArraySlice<String>, environment: [String: String]) -> Int32 {
    guard arguments.isEmpty else {
      guard Array(arguments) == ["--help"] || Array(arguments) == ["-h"] else {
        StandardError.write(usage)
        return 2
      }
      print(usage)
      return 0
    }
    do throws(SettingsError) {
      let settings = try Settings.read(environment)
      umask(0o077)  // what the gateway and its plugins write is their user's alone
      if settings.supervise { return supervise(settings, environment) }
      return serve(settings, environment)
    } catch {
      report("\(error)")
      return 1
    }
  }

  /// Serves as the child of a supervisor.
  ///
  /// - Parameters:
  ///   - arguments: What follows the verb: the supervisor's order.
  ///   - environment: The variables of the process.
  /// - Returns: As `run`.
  static func runChild(_ arguments: ArraySlice<String>, environment: [String: String]) -> Int32 {
    guard arguments.count == 1, let order = arguments.first.flatMap({ ServingOrder($0) }) else {
      report("\(ServingOrder.verb) is for gateway serve alone")
      return 2
    }
    umask(0o077)
    do {
      let link = try SupervisorLink(order)
      do {
        try serve(try Settings.read(environment), link: link, sockets: nil)
      } catch {
        link.failed("\(error)")
        throw error
      }
      link.stopped()
      return 0
    } catch {
      report("\(error)")
      return 1
    }
  }

  private static func supervise(_ settings: Settings, _ environment: [String: String]) -> Int32 {
    do throws(Supervisor.StartError) {
      return try Supervisor(settings, environment: environment).run()
    } catch {
      report(error.description)
      return 1
    }
  }

  private static func serve(_ settings: Settings, _ environment: [String: String]) -> Int32 {
    do {
      let sockets = try ListeningSockets.passed(environment)
      try serve(settings, link: nil, sockets: sockets)
      return 0
    } catch let error as SystemError {
      report(ListeningSockets.refusal(settings.host, settings.port, error))
    } catch {
      report("\(error)")
    }
    return 1
  }

  private static func serve(
    _ settings: Settings,
    link: SupervisorLink?,
    sockets: [CInt]?
  ) throws(Gateway.StartError) {
    let gateway = try Gateway(settings, link: link, sockets: sockets)
    try gateway.run { gateway in
      let reports = gateway.registry.reports
      let plugins = reports.filter { $0.state == .active }.map(\.name)
      link?.serving(failed: reports.filter { $0.state == .failed }.map(\.file))
      gateway.core.log.write(
        .info,
        "serving",
        [
          ("address", "http://\(settings.host):\(gateway.port)"), ("port", "\(gateway.port)"),
          ("pid", "\(getpid())"), ("plugins", plugins.joined(separator: ",")),
          ("version", Version.text),
        ]
      )
    }
  }

  private static func report(_ message: String) { StandardError.write("gateway: \(message)") }
}
