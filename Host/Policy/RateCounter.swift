/// Counts the requests of callers.
///
/// The embedded one, `RateWindows`, counts in this process; a store shared by several may take its
/// place without a change to the request path.
package protocol RateCounter: Sendable {
  /// The window of the caller `key` (see `RateKey`), to be kept for as long as it is useful.
  func window(for key: String) -> any RateWindow
}

/// What one caller has used up.
package protocol RateWindow: AnyObject, Sendable {
  /// Counts one request of the caller if the tier still allows it.
  ///
  /// - Parameters:
  ///   - tier: What the caller is allowed.
  ///   - now: Nanoseconds of the monotonic clock.
  /// - Returns: Whether the request may go on, and what is left.
  func take(_ tier: RateTier, now: Int64) -> RateDecision
}

/// Whether a request may go on, and what is left of the tighter of the caller's two windows.
package struct RateDecision: Sendable, Equatable {
  package enum Window: Sendable { case minute, hour }

  package var isAllowed: Bool
  /// The window that `limit`, `remaining` and `resetSeconds` speak of; `nil` when nothing limits.
  package var window: Window?
  package var limit: Int
  package var remaining: Int
  /// Seconds, rounded up, until the window has room for one request more than now.
  ///
  /// For a refused request this is when it may be tried again, the `Retry-After`.
  package var resetSeconds: Int

  package static let unlimited = RateDecision(
    isAllowed: true,
    window: nil,
    limit: 0,
    remaining: 0,
    resetSeconds: 0
  )
}

/// Names under which callers are counted.
package enum RateKey {
  static func isAddress(_ key: String) -> Bool { key.utf8.first == UInt8(ascii: "a") }

  /// A caller known by token or API key; both count together, so that keys do not multiply a quota.
  package static func subject(_ subject: String) -> String { "s:" + subject }

  /// A caller known only by numeric address.
  ///
  /// IPv6 callers are counted by their /64, which is what one customer is given (RFC 6177): by the
  /// whole address, anyone could pose as any number of callers.
  package static func address(_ text: String) -> String {
    guard text.utf8.contains(UInt8(ascii: ":")) else { return "a:" + text }
    let address = text.prefix { $0 != "%" }
    var groups: [Substring] = []
    // "a::b" splits into a, "", b; the empty one stands for as many zeros as are missing.
    let halves = address.split(separator: "::", maxSplits: 1, omittingEmptySubsequences: false)
    groups = halves[0].split(separator: ":")
    if halves.count == 2 {
      let tail = halves[1].split(separator: ":")
      let zeros = max(0, 8 - groups.count - tail.count)
      groups += Array(repeating: "0", count: zeros) + tail
    }
    return "a:" + groups.prefix(4).joined(separator: ":") + "::/64"
  }
}
