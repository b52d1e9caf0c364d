/// What the operator has decided, read once at start.
package struct Settings: Sendable {
  /// A key from `API_KEY_1…`, compared in constant time and never logged.
  package struct APIKey: Sendable {
    package var key: [UInt8]
    package var identity: Identity

    package init(key: [UInt8], identity: Identity) {
      self.key = key
      self.identity = identity
    }
  }

  /// What becomes of a plugin that has crashed the gateway too often.
  package enum CrashPolicy: String, Sendable {
    case isolate
    case leaveOut = "leave_out"
  }

  package enum LogFormat: String, Sendable { case text, json }

  package var host = "0.0.0.0"
  package var port: UInt16 = 8000
  /// The HMAC key of all bearer tokens.
  package var jwtSecret: [UInt8] = []
  /// The `iss` a token must carry; `nil` accepts any.
  package var jwtIssuer: String?
  /// The `aud` a token must carry; `nil` accepts any.
  package var jwtAudience: String?
  package var requireMFA = false
  package var debug = false
  package var logLevel = LogLevel.info
  package var logFormat = LogFormat.text
  package var accessLog = true
  /// Whether requests are served in a child process that is started again when it dies.
  package var supervise = true
  package var crashPolicy = CrashPolicy.isolate
  /// Event-loop threads.
  package var workers = 1
  package var apiKeys: [APIKey] = []
  package var dataDirectory = "data"
  package var pluginsDirectory = "plugins.d"
  /// Where a `library` of a plugins.d file without a slash is looked for; empty: beside the binary.
  package var libraryDirectory = ""
  /// Whether each plugin is tried in a child process before it is loaded.
  package var probePlugins = true
  /// Whether a plugins.d file must say who signed its library.
  package var requireSigned = false
  package var corsOrigins: [String] = []
  package var tiers = Tier.standardTiers
  package var limits = Limits()

  package init() {}

  /// The data directory alone, for verbs that need nothing else of the settings.
  ///
  /// - Parameter environment: The variables of the process; an empty value counts as unset.
  /// - Returns: The path as it was given, or the default.
  package static func dataDirectory(_ environment: [String: String]) -> String {
    let named = environment["DATA_DIR"] ?? ""
    return named.isEmpty ? Settings().dataDirectory : named
  }
}
