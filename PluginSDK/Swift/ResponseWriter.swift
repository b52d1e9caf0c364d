internal import CGatewayPlugin

/// Where a streamed answer is written; valid only in the closure that got it.
public struct ResponseWriter: ~Copyable {
  // One piece is copied by the host; a larger one would stand in memory twice.
  private static let piece = 64 * 1024

  let exchange: Exchange

  /// Whether nobody wants the rest any more.
  public var isCancelled: Bool { exchange.isCancelled }

  /// Writes bytes, and waits while the client is behind.
  ///
  /// - Parameter bytes: Any number.
  /// - Throws: `HostRefusal.gone` when the client has gone, the deadline has passed or the gateway
  ///   stops; `HostRefusal.limit` past the announced length.
  public func write(_ bytes: [UInt8]) throws(HostRefusal) {
    var start = 0
    repeat {
      let end = min(start + Self.piece, bytes.count)
      try exchange.write(bytes, start..<end)
      start = end
    } while start < bytes.count
  }

  /// Writes text as UTF-8, and waits while the client is behind.
  ///
  /// - Parameter text: Any length.
  /// - Throws: As for bytes.
  public func write(_ text: String) throws(HostRefusal) { try write(Array(text.utf8)) }

  /// Writes one server-sent event; the answer's `Content-Type` must be `text/event-stream`.
  ///
  /// - Parameters:
  ///   - data: Its lines become `data:` lines.
  ///   - name: The event's type; a line break in it is left out.
  /// - Throws: As for bytes.
  public func event(_ data: String, name: String = "") throws(HostRefusal) {
    var text = name.isEmpty ? "" : "event: \(name.filter { !$0.isNewline })\n"
    for line in data.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline) {
      text += "data: \(line)\n"
    }
    try write(text + "\n")
  }
}
