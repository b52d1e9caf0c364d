/// How important a log line is; lines below the configured level are not written.
package enum LogLevel: Int, Sendable, CaseIterable, Comparable {
  case debug, info, warning, error

  package init?(name: String) {
    guard let level = Self.allCases.first(where: { $0.name == name }) else { return nil }
    self = level
  }

  /// The word in `LOG_LEVEL` and in each line.
  package var name: String {
    switch self {
    case .debug: "debug"
    case .info: "info"
    case .warning: "warning"
    case .error: "error"
    }
  }

  package static func < (one: LogLevel, other: LogLevel) -> Bool { one.rawValue < other.rawValue }
}
