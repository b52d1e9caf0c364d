import Gateway
import Glibc

/// Where the verbs say what went wrong.
enum StandardError {
  /// Writes `text` and a newline.
  static func write(_ text: String) {
    // Not through stderr, a global that Swift 6 cannot share. Nothing is left to tell a failed write to.
    try? Directory.writeAll(STDERR_FILENO, Array("\(text)\n".utf8)[...])
  }
}
