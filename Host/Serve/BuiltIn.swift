/// What the host itself answers.
package enum BuiltIn: CaseIterable, Sendable {
  case index
  case health
  case live
  case ready
  case webSocket
  case metrics
  case openAPI

  /// The paths it stands at.
  var paths: [String] {
    switch self {
    case .index: ["/"]
    case .health: ["/health", "/healthz"]
    case .live: ["/health/live"]
    case .ready: ["/health/ready"]
    case .webSocket: ["/ws"]
    case .metrics: ["/metrics"]
    case .openAPI: ["/openapi.json"]
    }
  }

  /// The scope a caller needs; `nil` when it is for everyone.
  ///
  /// Metrics tell what others do, so they are not for everyone.
  var scope: RequiredScope? {
    switch self {
    case .metrics: RequiredScope(name: "admin")
    case .index, .health, .live, .ready, .webSocket, .openAPI: nil
    }
  }

  /// Whether rate limits apply: whoever watches health must never be told to come back later.
  var isLimited: Bool {
    switch self {
    case .health, .live, .ready: false
    case .index, .webSocket, .metrics, .openAPI: true
    }
  }

  /// The paths that plugins cannot have, for any method.
  package static var reserved: [(method: String, pattern: PathPattern)] {
    allCases.flatMap(\.paths).map { path in
      do {
        return ("*", try PathPattern(path))
      } catch {
        preconditionFailure("a path of the host's own is no pattern: \(path)")
      }
    }
  }
}
