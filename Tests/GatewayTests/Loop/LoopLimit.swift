import Testing

@testable import Gateway

/// Stops a loop whose test would otherwise wait for ever.
final class LoopLimit: Source {
  private let loop: EventLoop
  private(set) var hasPassed = false

  init(_ loop: EventLoop, seconds: Int64 = 10) {
    self.loop = loop
    super.init()
    loop.add(self)
    loop.setDeadline(self, at: loop.now + seconds * 1_000_000_000)
  }

  override func expired() {
    hasPassed = true
    loop.stop()
  }
}

/// Runs a closure once at a time of the loop's clock.
final class Alarm: Source {
  private let loop: EventLoop
  private let ring: () -> Void

  init(_ loop: EventLoop, at time: Int64, _ ring: @escaping () -> Void) {
    self.loop = loop
    self.ring = ring
    super.init()
    loop.add(self)
    loop.setDeadline(self, at: time)
  }

  override func expired() { ring() }
}

/// Runs `loop` until `isDone` holds after a tick; at most ten seconds, and once for each loop.
func run(_ loop: EventLoop, until isDone: @escaping () -> Bool) throws {
  let limit = LoopLimit(loop)
  loop.afterTick = { if isDone() { loop.stop() } }
  try loop.run()
  loop.afterTick = nil
  #expect(!limit.hasPassed, "the condition did not come true in ten seconds")
}
