package import Wire

/// One end of a serving process that nobody had asked for.
package struct CrashReport: Sendable, Equatable {
  /// What of a plugin ran.
  package struct Code: Sendable, Equatable {
    package var plugin: String
    package var generation: UInt32
    /// `request`, `activate`, `job` and so on.
    package var step: String
    /// A route, a check, a topic; empty for the plugin itself.
    package var label: String

    package init(plugin: String, generation: UInt32, step: String, label: String) {
      self.plugin = plugin
      self.generation = generation
      self.step = step
      self.label = label
    }

    /// The code for a log line.
    var fields: [(String, String)] {
      [("plugin", plugin), ("generation", "\(generation)"), ("step", step), ("code", label)]
    }
  }

  /// Nanoseconds since 1970.
  package var time: Int64
  /// The process's number.
  package var process: CInt
  /// `SIGSEGV`, `exit status 3` or `hang`.
  package var end: String
  /// The code that ended the process, or hung in it; `nil` when it was none of a plugin's.
  package var code: Code?
  /// Milliseconds from the end until requests were taken again; `nil` while they are not.
  package var outage: Int64?

  package init(time: Int64, process: CInt, end: String, code: Code?, outage: Int64? = nil) {
    self.time = time
    self.process = process
    self.end = end
    self.code = code
    self.outage = outage
  }

  /// Reads what `json` wrote; `nil` comes of anything else.
  package init?(_ json: JSON) {
    guard let time = json["time"]?.asString.flatMap({ Timestamp.parse($0) }),
      let process = json["pid"]?.asInteger, let end = json["end"]?.asString
    else { return nil }
    self.time = time
    self.process = CInt(truncatingIfNeeded: process)
    self.end = end
    outage = json["milliseconds"]?.asInteger
    if let plugin = json["plugin"]?.asString {
      code = Code(
        plugin: plugin,
        generation: UInt32(truncatingIfNeeded: json["generation"]?.asInteger ?? 0),
        step: json["step"]?.asString ?? "",
        label: json["code"]?.asString ?? ""
      )
    }
  }

  /// The report as a JSON object.
  package var json: JSON {
    var members: [JSON.Member] = [
      .init(name: "time", value: .string(Timestamp.text(nanoseconds: time, milliseconds: true))),
      .init(name: "pid", value: .integer(Int64(process))),
      .init(name: "end", value: .string(end)),
    ]
    if let code {
      members += [
        .init(name: "plugin", value: .string(code.plugin)),
        .init(name: "generation", value: .integer(Int64(code.generation))),
        .init(name: "step", value: .string(code.step)),
        .init(name: "code", value: .string(code.label)),
      ]
    }
    if let outage { members.append(.init(name: "milliseconds", value: .integer(outage))) }
    return .object(members)
  }

  /// The report for a log line.
  package var fields: [(String, String)] {
    var fields = [("pid", "\(process)"), ("end", end)]
    if let code { fields += code.fields }
    if let outage { fields.append(("milliseconds", "\(outage)")) }
    return fields
  }
}
