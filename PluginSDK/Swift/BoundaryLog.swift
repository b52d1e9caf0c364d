internal import CGatewayPlugin

/// Lines for the operator; the gateway adds time, plugin and request.
public struct Log: Sendable {
  let host: Host
  let about: gw_request

  /// For tracing a fault; off by default.
  ///
  /// - Parameters:
  ///   - message: What happened; made only when such lines are kept. No secrets.
  ///   - fields: Facts beside it, each cut at 4 KiB.
  public func debug(_ message: @autoclosure () -> String, _ fields: HeaderFields = [:]) {
    write(GW_LOG_DEBUG, message, fields)
  }

  /// What an operator wants to know.
  ///
  /// - Parameters:
  ///   - message: What happened; made only when such lines are kept. No secrets.
  ///   - fields: Facts beside it, each cut at 4 KiB.
  public func info(_ message: @autoclosure () -> String, _ fields: HeaderFields = [:]) {
    write(GW_LOG_INFO, message, fields)
  }

  /// What an operator should look at.
  ///
  /// - Parameters:
  ///   - message: What happened; made only when such lines are kept. No secrets.
  ///   - fields: Facts beside it, each cut at 4 KiB.
  public func warning(_ message: @autoclosure () -> String, _ fields: HeaderFields = [:]) {
    write(GW_LOG_WARNING, message, fields)
  }

  /// What failed.
  ///
  /// - Parameters:
  ///   - message: What happened; made only when such lines are kept. No secrets.
  ///   - fields: Facts beside it, each cut at 4 KiB.
  public func error(_ message: @autoclosure () -> String, _ fields: HeaderFields = [:]) {
    write(GW_LOG_ERROR, message, fields)
  }

  private func write(_ level: Int32, _ message: () -> String, _ fields: HeaderFields) {
    guard host.isLive, let log = unsafe host.tables.log,
      unsafe log.pointee.enabled(host.tables.context, level) != 0
    else { return }
    unsafe lend(message()) { message in
      unsafe lend(fields) { fields, count in
        unsafe log.pointee.write(host.tables.context, level, about, message, fields, count)
      }
    }
  }
}
