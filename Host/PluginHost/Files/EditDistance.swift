/// How many letters apart two names are, to guess what a mistyped one meant.
enum EditDistance {
  /// The name closest to `text`, when it is close enough to be what was meant.
  ///
  /// - Parameters:
  ///   - text: As typed.
  ///   - names: What is known.
  /// - Returns: `nil` when no name is within a third of its length.
  static func nearest(to text: String, among names: [String]) -> String? {
    guard text.utf8.count <= 64 else { return nil }
    let distances = names.map { (name: $0, distance: between(text, $0)) }
    guard let best = distances.min(by: { $0.distance < $1.distance }),
      best.distance <= max(best.name.utf8.count / 3, 1)
    else { return nil }
    return best.name
  }

  /// Insertions, deletions and replacements that turn `one` into `other`.
  static func between(_ one: String, _ other: String) -> Int {
    let one = Array(one.utf8)
    let other = Array(other.utf8)
    var previous = Array(0...other.count)
    for (row, letter) in one.enumerated() {
      var current = [row + 1]
      for (column, candidate) in other.enumerated() {
        let replaced = previous[column] + (letter == candidate ? 0 : 1)
        current.append(min(replaced, previous[column + 1] + 1, current[column] + 1))
      }
      previous = current
    }
    return previous[other.count]
  }
}
