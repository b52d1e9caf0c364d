/// Which of the last datagram numbers have been seen (RFC 6479, as WireGuard uses it).
package struct ReplayWindow: Sendable {
  private static let words: UInt64 = 32
  /// A number is too old when it lies so far behind the highest.
  ///
  /// One word is kept free, so that a step of the window clears whole words alone.
  package static let size = (words - 1) * 64

  private var seen = [UInt64](repeating: 0, count: Int(words))
  private(set) var highest: UInt64 = 0

  package init() {}

  /// Whether `number` is new, before its datagram is known to be authentic.
  package func allows(_ number: UInt64) -> Bool {
    if number > highest { return true }
    guard highest - number < Self.size else { return false }
    return seen[Int(number >> 6 % Self.words)] & (1 << (number & 63)) == 0
  }

  /// Remembers the number of an authentic datagram that `allows` has let pass.
  package mutating func mark(_ number: UInt64) {
    let word = number >> 6
    let top = highest >> 6
    if word > top {
      for step in 1...min(word - top, Self.words) { seen[Int((top + step) % Self.words)] = 0 }
    }
    highest = max(highest, number)
    seen[Int(word % Self.words)] |= 1 << (number & 63)
  }
}
