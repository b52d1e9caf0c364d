/// Every environment variable the gateway reads, in the order of the README.
///
/// The README's table is `markdown`, and a test compares the two.
package enum SettingsTable {
  /// Name, default and meaning of the keys, which are as many as the operator likes.
  package static let apiKeyRow = (
    name: "API_KEY_1", others: "API_KEY_2` … `API_KEY_999", defaultText: "(none)",
    meaning: "An API key as `key:user:scope,scope:tier`; without tier it is `standard`. "
      + "Any length is taken; make real ones with `openssl rand -hex 24`."
  )

  package static let variables: [SettingsVariable] =
    network + identity + observation + files
    + callers + LimitVariables.all

  /// The table of the README, one line a row.
  package static var markdown: [String] {
    var lines = ["| Variable | Default | Meaning |", "|---|---|---|"]
    for variable in variables {
      lines.append("| `\(variable.name)` | \(shown(variable.defaultText)) | \(variable.meaning) |")
      guard variable.name == "RATE_LIMIT_TIERS" else { continue }
      let keys = apiKeyRow
      lines.append(
        "| `\(keys.name)`, `\(keys.others)` | \(shown(keys.defaultText)) | \(keys.meaning) |"
      )
    }
    return lines
  }

  private static func shown(_ text: String) -> String { text.hasPrefix("(") ? text : "`\(text)`" }

  private static let network = [
    SettingsVariable(
      "HOST",
      default: "0.0.0.0",
      "Address or name to listen on; `::` is every address."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.host = try SettingsValue.host(value)
    },
    SettingsVariable(
      "PORT",
      default: "8000",
      "TCP port, 0–65535; with 0 the system chooses a free one."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.port = UInt16(try SettingsValue.number(value, 0...65535))
    },
    SettingsVariable("WORKERS", default: "1", "Event-loop threads, 1–64.") {
      value,
      settings throws(SettingsVariable.Refusal) in
      settings.workers = try SettingsValue.number(value, 1...64)
    },
    SettingsVariable(
      "SUPERVISE",
      default: "true",
      "Serve in a child process that is started again at once when it dies; `false` serves in one process."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.supervise = try SettingsValue.flag(value)
    },
    SettingsVariable(
      "CRASH_POLICY",
      default: "isolate",
      "What becomes of a plugin that crashes the gateway `LIMIT_CRASHES_COUNT` times: `isolate` runs it in a process "
        + "of its own, `leave_out` does not load it."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.crashPolicy = try SettingsValue.word(
        value,
        [Settings.CrashPolicy.isolate, .leaveOut].map { ($0.rawValue, $0) }
      )
    },
    SettingsVariable(
      "CORS_ORIGINS",
      default: "(none)",
      "Origins whose pages may read answers: `https://app.example,http://localhost:3000`. "
        + "`*` is refused."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.corsOrigins = try SettingsValue.origins(value)
    },
  ]

  private static let identity = [
    SettingsVariable(
      "JWT_SECRET_KEY",
      default: "(required)",
      "Key of all bearer tokens (HS256), used as its bytes stand, at least 32 of them.",
      isSecret: true
    ) { value, settings throws(SettingsVariable.Refusal) in
      guard !value.unicodeScalars.contains("\u{FFFD}") else {
        throw SettingsVariable.Refusal(
          remedy: "it must be UTF-8 text; make one with: \(SettingsReader.secretCommand)"
        )
      }
      settings.jwtSecret = Array(value.utf8)
    },
    SettingsVariable(
      "JWT_ISSUER",
      default: "(any)",
      "The `iss` every token must carry; 1–256 bytes."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.jwtIssuer = try SettingsValue.text(value, atMost: 256)
    },
    SettingsVariable(
      "JWT_AUDIENCE",
      default: "(any)",
      "The `aud` every token must carry; 1–256 bytes."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.jwtAudience = try SettingsValue.text(value, atMost: 256)
    },
    SettingsVariable(
      "REQUIRE_MFA",
      default: "false",
      "Refuse tokens without `mfa_verified`, and API keys."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.requireMFA = try SettingsValue.flag(value)
    },
    SettingsVariable(
      "DEBUG",
      default: "false",
      "Development: short secrets are taken. Never in production."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.debug = try SettingsValue.flag(value)
    },
  ]

  private static let observation = [
    SettingsVariable(
      "LOG_LEVEL",
      default: "info",
      "Least important lines written: `debug`, `info`, `warning`, `error`."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.logLevel = try SettingsValue.word(value, LogLevel.allCases.map { ($0.name, $0) })
    },
    SettingsVariable("LOG_FORMAT", default: "text", "`text`, or `json` with one object a line.") {
      value,
      settings throws(SettingsVariable.Refusal) in
      settings.logFormat = try SettingsValue.word(
        value,
        [("text", Settings.LogFormat.text), ("json", .json)]
      )
    },
    SettingsVariable("ACCESS_LOG", default: "true", "Write one line for each request.") {
      value,
      settings throws(SettingsVariable.Refusal) in
      settings.accessLog = try SettingsValue.flag(value)
    },
  ]

  private static let files = [
    SettingsVariable("DATA_DIR", default: "data", "Directory of all that is kept between runs.") {
      value,
      settings throws(SettingsVariable.Refusal) in
      settings.dataDirectory = try SettingsValue.text(value, atMost: 1024)
    },
    SettingsVariable(
      "PLUGINS_DIR",
      default: "plugins.d",
      "Directory with one file for each enabled plugin."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.pluginsDirectory = try SettingsValue.text(value, atMost: 1024)
    },
    SettingsVariable(
      "LIBRARY_DIR",
      default: "(beside the binary)",
      "Where the libraries of plugins are looked for that are named without a slash."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.libraryDirectory = try SettingsValue.text(value, atMost: 1024)
    },
    SettingsVariable(
      "PROBE_PLUGINS",
      default: "true",
      "Try each plugin in a child process before it is loaded, so that a crash in its start is no crash of the gateway."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.probePlugins = try SettingsValue.flag(value)
    },
    SettingsVariable(
      "REQUIRE_SIGNED",
      default: "false",
      "Refuse every plugin whose file does not say, with `signed_by`, whose signature its library must carry."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.requireSigned = try SettingsValue.flag(value)
    },
  ]

  private static let callers = [
    SettingsVariable(
      "RATE_LIMIT_TIERS",
      default: "(none)",
      "Further or other tiers as `name:per_minute:per_hour,…`; 0 is unlimited. Built in: "
        + Tier.standardTiers.map { "`\($0.name):\($0.perMinute):\($0.perHour)`" }
        .joined(separator: ", ") + ". A token that names another is `standard`."
    ) { value, settings throws(SettingsVariable.Refusal) in
      settings.tiers = try SettingsValue.tiers(value, replacing: settings.tiers)
    }
  ]
}
