import Gateway
import Wire

/// The verb `upgrade`: a running gateway goes on with the program that stands at its path now.
enum UpgradeCommand {
  private static let usage = """
    usage: gateway upgrade [--json]
    Has the gateway that runs with the same DATA_DIR start the program at its own path, hand it the listening sockets,
    and drain once that one serves. The command returns when it does, or says why the old one serves on.
    """

  /// Runs the verb.
  ///
  /// - Parameters:
  ///   - arguments: What follows `upgrade`.
  ///   - environment: The variables of the process; only `DATA_DIR` counts.
  /// - Returns: The exit status: 0 done, 1 not done, 2 not understood.
  static func run(_ arguments: ArraySlice<String>, environment: [String: String]) -> Int32 {
    switch Array(arguments) {
    case []: return upgrade(environment, asJSON: false)
    case ["--json"]: return upgrade(environment, asJSON: true)
    case ["--help"], ["-h"]:
      print(usage)
      return 0
    default:
      StandardError.write(usage)
      return 2
    }
  }

  private static func upgrade(_ environment: [String: String], asJSON: Bool) -> Int32 {
    let directory = Settings.dataDirectory(environment)
    do throws(ControlSocket.Failure) {
      // The supervisor has the limit that counts, LIMIT_UPGRADE_SECONDS of at most an hour.
      let answer = try UpgradeSocket.ask(directory, limit: .seconds(3_700))
      if asJSON { print(answer.text) }
      if let reason = answer["error"]?.asString {
        if !asJSON { StandardError.write("not upgraded; the old process serves on: \(reason)") }
        return 1
      }
      if !asJSON {
        let pid = answer["pid"]?.asInteger ?? 0
        let milliseconds = answer["milliseconds"]?.asInteger ?? 0
        print("upgraded: process \(pid) serves after \(milliseconds) ms, the old one drains")
      }
      return 0
    } catch {
      StandardError.write(error.description)
      return 1
    }
  }
}
