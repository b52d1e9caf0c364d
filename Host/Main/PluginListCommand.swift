import Gateway
import Wire

/// `plugin list`: what a running gateway has loaded.
enum PluginListCommand {
  private static let usage = """
    usage: gateway plugin list [--json]
    Asks the gateway that runs with the same DATA_DIR.
    """

  /// Runs the verb.
  ///
  /// - Parameters:
  ///   - arguments: What follows `plugin list`.
  ///   - environment: The variables of the process; only `DATA_DIR` counts.
  /// - Returns: The exit status: 0 done, 1 not done, 2 not understood.
  static func run(_ arguments: ArraySlice<String>, environment: [String: String]) -> Int32 {
    switch Array(arguments) {
    case []: return list(environment, asJSON: false)
    case ["--json"]: return list(environment, asJSON: true)
    case ["--help"], ["-h"]:
      print(usage)
      return 0
    default:
      StandardError.write(usage)
      return 2
    }
  }

  private static func list(_ environment: [String: String], asJSON: Bool) -> Int32 {
    let directory = Settings.dataDirectory(environment)
    do throws(ControlSocket.Failure) {
      let answer = try ControlSocket.ask(directory, ["verb": "plugins"])
      guard let plugins = answer["plugins"] else { throw .badAnswer }
      print(asJSON ? plugins.text : table(plugins.asArray ?? []))
      return 0
    } catch {
      StandardError.write(error.description)
      return 1
    }
  }

  /// `none`, or the process that runs it.
  private static func isolation(of plugin: JSON) -> String {
    let isolation = plugin["isolation"]?.asString ?? "none"
    guard let pid = plugin["pid"]?.asInteger else { return isolation }
    return pid > 0 ? "\(isolation) \(pid)" : "\(isolation), down"
  }

  private static func table(_ plugins: [JSON]) -> String {
    guard !plugins.isEmpty else { return "no plugins" }
    var rows = [["NAME", "VERSION", "GENERATION", "STATE", "ROUTES", "ISOLATION"]]
    for plugin in plugins {
      rows.append([
        plugin["name"]?.asString ?? "", plugin["version"]?.asString ?? "",
        "\(plugin["generation"]?.asInteger ?? 0)", plugin["state"]?.asString ?? "",
        "\(plugin["routes"]?.asArray?.count ?? 0)", isolation(of: plugin),
      ])
    }
    let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
    var lines = rows.map { row in
      // The last column is not padded: blanks at a line's end are only in the way.
      zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) }.dropLast()
        .joined(separator: "  ") + "  " + (row.last ?? "")
    }
    // Below each plugin, indented: why it is not active, why it taints, its crashes, and its routes.
    for (index, plugin) in plugins.enumerated().reversed() {
      var details = plugin["routes"]?.asArray?.compactMap(\.asString) ?? []
      details.insert(contentsOf: plugin["crashes"].map(crashes) ?? [], at: 0)
      if let layers = plugin["sandbox"]?.asArray?.compactMap(\.asString), !layers.isEmpty {
        details.insert("kept in by \(layers.joined(separator: ", "))", at: 0)
      }
      if let reason = plugin["reason"]?.asString, !reason.isEmpty { details.insert(reason, at: 0) }
      if let taint = plugin["taint"]?.asString { details.insert("forced: \(taint)", at: 0) }
      lines.insert(contentsOf: details.map { "  \($0)" }, at: index + 2)
    }
    return lines.joined(separator: "\n")
  }

  /// One line for all crashes of a plugin, with the last one.
  private static func crashes(_ crashes: JSON) -> [String] {
    guard let all = crashes.asArray, let last = all.last.flatMap({ CrashReport($0) }),
      let code = last.code
    else { return [] }
    let place = code.label.isEmpty ? code.step : "\(code.step) of \(code.label)"
    let outage = last.outage.map { ", serving again after \($0) ms" } ?? ""
    let time = last.json["time"]?.asString ?? ""
    return [
      "crashed \(all.count) time\(all.count == 1 ? "" : "s"), last \(time) in \(place), generation \(code.generation) (\(last.end))\(outage)"
    ]
  }
}
