import CGatewayPlugin

/// `gw.log/1`.
enum LogInterface {
  // Unchecked: constant after it is made.
  nonisolated(unsafe) static let table = unsafe InterfaceDirectory.keep(
    gw_log_v1(
      enabled: { context, level in
        ContextTable.with(context, gone: 0) { instance in
          instance.host.log.isEnabled(LogInterface.kept(level)) ? 1 : 0
        }
      },
      write: { context, level, about, message, fields, count in
        ContextTable.with(context, gone: ()) { instance in
          guard instance.host.log.isEnabled(LogInterface.kept(level)) else { return }
          let fields = unsafe UnsafeBufferPointer(start: fields, count: fields == nil ? 0 : count)
          unsafe write(instance, LogInterface.kept(level), about: about.v, message, fields)
        }
      }
    )
  )

  /// Bytes of one value; more is cut.
  static let valueBytes = 4096
  /// Fields of one line; more are left out.
  static let maxFields = 32

  private static func kept(_ number: Int32) -> LogLevel {
    // Levels are only added: one this host does not know is at least as important as an error.
    number < 0 ? .debug : LogLevel(rawValue: Int(number)) ?? .error
  }

  private static func write(
    _ instance: PluginInstance,
    _ level: LogLevel,
    about request: UInt64,
    _ message: gw_bytes,
    _ fields: UnsafeBufferPointer<gw_field>
  ) {
    var pairs: [(String, String)] = []
    for index in 0..<min(fields.count, maxFields) {
      let field = unsafe fields[index]
      pairs.append(
        (unsafe field.name.text(cutAt: 64), unsafe field.value.text(cutAt: valueBytes))
      )
    }
    let text = unsafe message.text(cutAt: valueBytes)
    guard request != 0 else { return instance.log(level, text, pairs) }
    let others = pairs
    instance.host.sink.withRequestID(of: request) { id in
      instance.log(level, text, (id.map { [("request_id", $0)] } ?? []) + others)
    }
  }
}
