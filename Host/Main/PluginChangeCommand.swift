import Gateway
import Wire

/// `plugin reload`, `enable`, `disable` and `rescan`: change the plugins of a running gateway.
enum PluginChangeCommand {
  private static let usage = """
    usage: gateway plugin reload NAME [--force] [--json]
           gateway plugin enable|disable NAME [--json]
           gateway plugin rescan [--json]
    Asks the gateway that runs with the same DATA_DIR, and prints what was done, step by step.
      NAME     the plugin's id, or the name of its file in plugins.d without number and extension
      --force  ends jobs that an earlier generation still runs, and drops state that the new build cannot read
    """

  /// Runs the verb.
  ///
  /// - Parameters:
  ///   - verb: `reload`, `enable`, `disable` or `rescan`.
  ///   - arguments: What follows it.
  ///   - environment: The variables of the process; only `DATA_DIR` counts.
  /// - Returns: The exit status: 0 done, 1 not done, 2 not understood.
  static func run(
    _ verb: String,
    _ arguments: ArraySlice<String>,
    environment: [String: String]
  ) -> Int32 {
    if arguments.contains("--help") || arguments.contains("-h") {
      print(usage)
      return 0
    }
    let options = arguments.filter { $0.hasPrefix("-") }
    let names = arguments.filter { !$0.hasPrefix("-") }
    let allowed = verb == "reload" ? ["--force", "--json"] : ["--json"]
    if let unknown = options.first(where: { !allowed.contains($0) }) {
      StandardError.write("\(unknown.debugDescription): there is no such option\n\(usage)")
      return 2
    }
    let count = verb == "rescan" ? 0 : 1
    guard names.count == count else {
      StandardError.write(
        "NAME: write \(count == 0 ? "none" : "one"), not \(names.count)\n\(usage)"
      )
      return 2
    }
    var request: [JSON.Member] = [.init(name: "verb", value: .string(verb))]
    if let name = names.first { request.append(.init(name: "plugin", value: .string(name))) }
    request.append(.init(name: "force", value: .bool(options.contains("--force"))))
    return ask(.object(request), asJSON: options.contains("--json"), environment)
  }

  private static func ask(
    _ request: JSON,
    asJSON: Bool,
    _ environment: [String: String]
  ) -> Int32 {
    let directory = Settings.dataDirectory(environment)
    do throws(ControlSocket.Failure) {
      let answer = try ControlSocket.ask(
        directory,
        request,
        patience: ControlSocket.changePatience
      )
      let isOne = answer["report"] != nil
      guard let reports = answer["reports"]?.asArray ?? answer["report"].map({ [$0] }) else {
        throw .badAnswer
      }
      if asJSON {
        print(isOne ? reports[0].text : JSON.array(reports).text)
      } else {
        print(reports.isEmpty ? "nothing has changed" : reports.map(text).joined(separator: "\n"))
      }
      return reports.contains { $0["outcome"]?.asString == "failed" } ? 1 : 0
    } catch {
      StandardError.write(error.description)
      return 1
    }
  }

  private static func text(_ report: JSON) -> String {
    func word(_ name: String) -> String { report[name]?.asString ?? "" }
    var lines = ["\(word("plugin")): \(word("change")) \(word("outcome")): \(word("message"))"]
    let steps = report["steps"]?.asArray ?? []
    let width = steps.map { $0["name"]?.asString?.count ?? 0 }.max() ?? 0
    for step in steps {
      let name = step["name"]?.asString ?? ""
      let time = "\(step["milliseconds"]?.asNumber ?? 0) ms"
      let detail = step["detail"]?.asString ?? ""
      let mark = step["failed"]?.asBool == true ? "failed: " : ""
      let padded = name + String(repeating: " ", count: width - name.count)
      lines.append(
        "  \(padded)  \(time)\(mark.isEmpty && detail.isEmpty ? "" : "  \(mark)\(detail)")"
      )
    }
    return lines.joined(separator: "\n")
  }
}
