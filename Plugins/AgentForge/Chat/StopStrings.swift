/// Ends a text before the first of some strings, however the text is cut into pieces.
///
/// What could be the beginning of such a string is held back until it is clear that it is none. Compared byte by byte,
/// as UTF-8.
struct StopStrings {
  private let stops: [[UInt8]]
  private var held: [UInt8] = []

  /// Ends before any of `stops`; empty ones count for nothing.
  init(_ stops: [String]) { self.stops = stops.map { Array($0.utf8) }.filter { !$0.isEmpty } }

  /// Takes the next piece of the text.
  ///
  /// - Parameter text: Whole characters.
  /// - Returns: What may be said now, and whether the text ends with it; after that, nothing more is to be given.
  mutating func append(_ text: String) -> (text: String, isEnd: Bool) {
    if stops.isEmpty { return (text, false) }
    held += text.utf8
    for start in held.indices where stops.contains(where: { held[start...].starts(with: $0) }) {
      defer { held = [] }
      return (String(decoding: held[..<start], as: UTF8.self), true)
    }
    // A stop begins with a whole character, so what goes before one are whole characters too.
    let kept = held.indices.first { start in stops.contains { $0.starts(with: held[start...]) } }
    let end = kept ?? held.endIndex
    defer { held.removeSubrange(..<end) }
    return (String(decoding: held[..<end], as: UTF8.self), false)
  }

  /// What was held back, now that nothing follows.
  mutating func finish() -> String {
    defer { held = [] }
    return String(decoding: held, as: UTF8.self)
  }
}
