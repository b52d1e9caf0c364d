import Wire

/// Tries a plugin in a child process, where a crash or a hang harms nobody.
package struct PluginProbe: Sendable {
  package enum Verdict: Sendable, Equatable {
    /// Entry, create, self-test and destroy went well; what the plugin declared.
    case passed(PluginReport)
    case failed(PluginFileError)
  }

  /// The hidden verb of the gateway's command line that runs the child's part.
  package static let verb = "check-one"

  private let executable: String
  private let limit: Duration

  /// Describes how to probe.
  ///
  /// - Parameters:
  ///   - executable: The gateway's own binary.
  ///   - limit: Time for one plugin; then it counts as hanging.
  package init(executable: String = "/proc/self/exe", limit: Duration = .seconds(10)) {
    self.executable = executable
    self.limit = limit
  }

  /// Tries the plugin of one file with a data directory of its own that is thrown away.
  ///
  /// - Parameters:
  ///   - file: Path in the plugins directory.
  ///   - libraries: Where libraries are that are named without a slash.
  ///   - library: The library to try instead of the one that the file names: the copy that will run.
  /// - Returns: The verdict.
  package func run(file: String, libraries: String, library: String = "") -> Verdict {
    do throws(SystemError) {
      let directory = try ChildProcess.temporaryDirectory()
      defer { Directory.removeAll(directory) }
      return try run(file, libraries: libraries, library: library, data: directory)
    } catch {
      return .failed(Self.fault(file, "the probe could not be started: \(error)"))
    }
  }

  private func run(
    _ file: String,
    libraries: String,
    library: String,
    data: String
  ) throws(SystemError) -> Verdict {
    let (bytes, end) = try ChildProcess.run(
      executable,
      [executable, Self.verb, file, libraries, data, library],
      limit: limit
    )
    switch end {
    case .hung:
      return .failed(
        Self.fault(
          file,
          "the plugin hangs: create, its self-test or destroy took longer than \(limit)"
        )
      )
    case .crashed(let signal):
      let name = ChildProcess.signalName(signal)
      return .failed(
        Self.fault(file, "the plugin crashes in create, its self-test or destroy (\(name))")
      )
    case .exited(let status): return Self.verdict(bytes, file: file, end: status)
    }
  }

  private static func fault(_ file: String, _ reason: String) -> PluginFileError {
    // The place is the library's name, when the file can be read.
    let position = (try? PluginFile(path: file))?.libraryPosition
    return PluginFileError(file: file, position: position, fault: .load(reason))
  }
}

extension PluginProbe {
  /// What the child writes for its parent.
  ///
  /// - Parameter verdict: Of the child's own check.
  /// - Returns: One JSON object.
  package static func encode(_ verdict: Verdict) -> [UInt8] {
    switch verdict {
    case .passed(let report): return JSON.object(report.members).bytes
    case .failed(let error):
      var members = [JSON.Member(name: "error", value: .string(error.reason))]
      if let position = error.position {
        members.append(JSON.Member(name: "line", value: .integer(Int64(position.line))))
        members.append(JSON.Member(name: "column", value: .integer(Int64(position.column))))
      }
      return JSON.object(members).bytes
    }
  }

  private static func verdict(_ bytes: [UInt8], file: String, end: CInt) -> Verdict {
    guard let json = try? JSON.parse(bytes) else {
      return .failed(
        fault(
          file,
          "the plugin ended the process in create, its self-test or destroy (\(ChildProcess.endWords(end)))"
        )
      )
    }
    if let reason = json["error"]?.asString {
      var error = PluginFileError(file: file, position: nil, fault: .load(reason))
      if let line = json["line"]?.asInteger, let column = json["column"]?.asInteger {
        error.position = SettingsDocument.Position(line: Int(line), column: Int(column))
      }
      return .failed(error)
    }
    let name = json["name"]?.asString ?? ""
    var report = PluginReport(file: json["file"]?.asString ?? "", name: name, state: .loaded)
    report.version = json["version"]?.asString ?? ""
    report.description = json["description"]?.asString ?? ""
    report.reason = json["reason"]?.asString ?? ""
    report.taint = json["taint"]?.asString ?? ""
    report.routes = json["routes"]?.asArray?.compactMap(\.asString) ?? []
    return .passed(report)
  }
}
