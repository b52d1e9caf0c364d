import CLinux
import Wire

/// The host's log: one line an event, as text or JSON.
package final class Log: Sendable {
  private let writer: LogWriter
  /// Lines below are left out.
  package let level: LogLevel
  private let format: Settings.LogFormat

  package init(writer: LogWriter, level: LogLevel, format: Settings.LogFormat) {
    self.writer = writer
    self.level = level
    self.format = format
  }

  /// Whether lines of `level` are kept; ask before building a costly message.
  package func isEnabled(_ level: LogLevel) -> Bool { level >= self.level }

  /// Writes one line, any thread.
  ///
  /// Secrets do not belong in it. Control characters in values are escaped, so that no value can
  /// forge a line.
  package func write(_ level: LogLevel, _ message: String, _ fields: [(String, String)] = []) {
    guard isEnabled(level) else { return }
    var line: [UInt8] = []
    switch format {
    case .json: writeJSON(level, message, fields, to: &line)
    case .text: writeText(level, message, fields, to: &line)
    }
    line.append(UInt8(ascii: "\n"))
    writer.append(line)
  }

  private func writeJSON(
    _ level: LogLevel,
    _ message: String,
    _ fields: [(String, String)],
    to line: inout [UInt8]
  ) {
    line += #"{"time":""#.utf8
    Timestamp.write(nanoseconds: linux_realtime(), to: &line, milliseconds: true)
    line += #"","level":""#.utf8
    line += level.name.utf8
    line += #"","message":"#.utf8
    JSON.writeString(message, to: &line)
    for (name, value) in fields {
      line.append(UInt8(ascii: ","))
      JSON.writeString(name, to: &line)
      line.append(UInt8(ascii: ":"))
      JSON.writeString(value, to: &line)
    }
    line.append(UInt8(ascii: "}"))
  }

  private func writeText(
    _ level: LogLevel,
    _ message: String,
    _ fields: [(String, String)],
    to line: inout [UInt8]
  ) {
    Timestamp.write(nanoseconds: linux_realtime(), to: &line, milliseconds: true)
    line.append(UInt8(ascii: " "))
    line += level.name.utf8
    line.append(UInt8(ascii: " "))
    Self.writeVisible(message, to: &line)
    for (name, value) in fields {
      line.append(UInt8(ascii: " "))
      Self.writeName(name, to: &line)
      line.append(UInt8(ascii: "="))
      let isPlain =
        !value.isEmpty && value.utf8.allSatisfy { $0 > 0x20 && $0 != 0x22 && $0 != 0x7F }
      if isPlain { line += value.utf8 } else { JSON.writeString(value, to: &line) }
    }
  }

  // Names come from plugins too: one with a space or '=' in it could pass for other fields.
  private static func writeName(_ name: String, to line: inout [UInt8]) {
    for byte in name.utf8 {
      let isPlain = byte > 0x20 && byte != 0x7F && byte != UInt8(ascii: "=") && byte != 0x22
      line.append(isPlain ? byte : UInt8(ascii: "_"))
    }
  }

  private static func writeVisible(_ text: String, to line: inout [UInt8]) {
    for byte in text.utf8 { line.append(byte < 0x20 || byte == 0x7F ? UInt8(ascii: " ") : byte) }
  }
}
