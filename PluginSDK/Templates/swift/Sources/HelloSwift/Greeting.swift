/// What is said; without the host, so that a unit test needs none.
struct Greeting: Sendable {
  let words: String

  /// `words` and `name`, said `times` times.
  func line(for name: String, times: Int) -> String {
    Array(repeating: "\(words), \(name)!", count: times).joined(separator: " ")
  }
}
