import Gateway
import Glibc

/// The verb `serve`.
enum ServeCommand {
  /// Serves until a signal stops the process.
  ///
  /// - Parameters:
  ///   - arguments: What follows `serve`; there is nothing to say there.
  ///   - environment: The variables of the process.
  /// - Returns: The exit status: 0 stopped in order, 1 not started, 2 not understood.
  static func run(_ arguments: ArraySlice<String>, environment: [String: String]) -> Int32 {
    guard arguments.isEmpty else {
      report("serve takes no arguments; settings come from the environment")
      return 2
    }
    do throws(SettingsError) {
      let settings = try Settings.read(environment)
      return serve(settings)
    } catch {
      report("\(error)")
      return 1
    }
  }

  private static func serve(_ settings: Settings) -> Int32 {
    umask(0o077)  // what the gateway and its plugins write is their user's alone
    do throws(Gateway.StartError) {
      let gateway = try Gateway(settings)
      try gateway.run { gateway in
        let plugins = gateway.registry.reports.filter { $0.state == .active }.map(\.name)
        gateway.core.log.write(
          .info,
          "serving",
          [
            ("address", "http://\(settings.host):\(gateway.port)"), ("port", "\(gateway.port)"),
            ("plugins", plugins.joined(separator: ",")), ("version", Version.text),
          ]
        )
      }
      return 0
    } catch {
      report("\(error)")
      return 1
    }
  }

  private static func report(_ message: String) { StandardError.write("gateway: \(message)") }
}
