/// Now, as protocol logic is told it; it has no clock of its own.
package struct Moment: Sendable, Equatable {
  /// Nanoseconds of a clock that never goes back.
  package let monotonic: UInt64
  /// Milliseconds since 1970.
  package let wall: UInt64

  package init(monotonic: UInt64, wall: UInt64) {
    self.monotonic = monotonic
    self.wall = wall
  }
}
