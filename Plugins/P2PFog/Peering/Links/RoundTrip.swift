/// The smoothed round trip of a link (RFC 6298, section 2: an eighth of each new sample).
package struct RoundTrip: Sendable, Equatable {
  /// Nanoseconds.
  package private(set) var smoothed: UInt64
  /// The newest sample, nanoseconds.
  package private(set) var last: UInt64

  /// Begins with the first sample.
  package init(_ sample: UInt64) {
    smoothed = sample
    last = sample
  }

  /// Takes a further sample.
  package mutating func add(_ sample: UInt64) {
    last = sample
    smoothed = smoothed - smoothed / 8 + sample / 8
  }
}
