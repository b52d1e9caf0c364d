import CLinux
import Glibc
import Synchronization
import Testing

@testable import Gateway

/// Calls closures for its events.
private final class Probe: Source {
  var onReady: (UInt32) -> Void = { _ in }
  var onExpiry: () -> Void = {}
  override func ready(_ events: UInt32) { onReady(events) }
  override func expired() { onExpiry() }
}

/// Two connected stream sockets, closed at the end.
private final class Pair {
  let near: CInt
  let far: CInt
  init() throws {
    var ends: [CInt] = [0, 0]
    try #require(
      socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue), 0, &ends) == 0
    )
    (near, far) = (ends[0], ends[1])
  }
  deinit {
    close(near)
    close(far)
  }
}

@Suite("Event loop")
struct EventLoopTests {
  @Test func `runs every job of eight threads, each thread's in order`() throws {
    let loop = try EventLoop()
    let remote = loop.remote
    let seen = Mutex<[Int: [Int]]>([:])
    let done = Atomic<Int>(0)
    let numbers = Atomic<Int>(0)
    let poster = try HostThread(name: "poster") {
      runThreads(8) {
        let me = numbers.wrappingAdd(1, ordering: .relaxed).newValue
        for step in 0..<5_000 {
          remote.post { _ in
            seen.withLock { $0[me, default: []].append(step) }
            done.wrappingAdd(1, ordering: .relaxed)
          }
        }
      }
    }
    try run(loop) { done.load(ordering: .relaxed) == 40_000 }
    poster.join()
    let all = seen.withLock { $0 }
    #expect(all.count == 8)
    #expect(all.values.allSatisfy { $0 == Array(0..<5_000) })
  }

  @Test func `a job may post a job, and both run on the loop's thread`() throws {
    let loop = try EventLoop()
    let remote = loop.remote
    let places = Mutex<[Bool]>([])
    #expect(!remote.isCurrent)
    remote.post { _ in
      places.withLock { $0.append(remote.isCurrent) }
      remote.post { _ in places.withLock { $0.append(remote.isCurrent) } }
    }
    try run(loop) { places.withLock { $0.count == 2 } }
    #expect(places.withLock { $0 } == [true, true])
    let elsewhere = Atomic<Bool>(true)
    runThreads(1) { elsewhere.store(remote.isCurrent, ordering: .relaxed) }
    let isCurrentElsewhere = elsewhere.load(ordering: .relaxed)
    #expect(!isCurrentElsewhere)
  }

  @Test func `jobs posted before it runs are not lost`() throws {
    let loop = try EventLoop()
    let count = Atomic<Int>(0)
    for _ in 0..<3 { loop.remote.post { _ in count.wrappingAdd(1, ordering: .relaxed) } }
    try run(loop) { count.load(ordering: .relaxed) == 3 }
  }

  @Test func `an idle loop does not spin`() throws {
    let loop = try EventLoop()
    let pair = try Pair()
    let probe = Probe()
    try loop.watch(probe, pair.near, for: EPOLLIN.rawValue)
    var ticks = 0
    let alarm = Alarm(loop, at: loop.now + 300_000_000) { loop.stop() }
    loop.afterTick = { ticks += 1 }
    try loop.run()
    #expect(ticks < 10)
    #expect(loop.sourceCount == 2)
    loop.remove(alarm)
    loop.unwatch(probe, pair.near)
    #expect(loop.sourceCount == 0)
  }

  @Test func `a deadline fires once and not before its time`() throws {
    let loop = try EventLoop()
    let time = loop.now + 20_000_000
    var fired: [Int64] = []
    let alarm = Alarm(loop, at: time) { fired.append(loop.now) }
    _ = alarm
    let stop = loop.now + 60_000_000
    _ = Alarm(loop, at: stop) { loop.stop() }
    try loop.run()
    #expect(fired.count == 1)
    #expect(fired.allSatisfy { $0 >= time })
    #expect(loop.now >= stop)
  }

  @Test func `reports what is ready, and stops when the events are replaced`() throws {
    let loop = try EventLoop()
    let pair = try Pair()
    let probe = Probe()
    var events: [UInt32] = []
    probe.onReady = { ready in
      events.append(ready)
      loop.rewatch(probe, pair.near, for: 0)
    }
    try loop.watch(probe, pair.near, for: EPOLLIN.rawValue)
    _ = "x".withCString { write(pair.far, $0, 1) }
    _ = Alarm(loop, at: loop.now + 50_000_000) { loop.stop() }
    try loop.run()
    #expect(events == [EPOLLIN.rawValue])
  }

  @Test func `a source may be unwatched within a callback, also another's`() throws {
    let loop = try EventLoop()
    let (one, two) = (try Pair(), try Pair())
    let (first, second) = (Probe(), Probe())
    var calls = 0
    let unwatchBoth = {
      calls += 1
      loop.unwatch(first, one.near)
      loop.unwatch(second, two.near)
    }
    first.onReady = { _ in unwatchBoth() }
    second.onReady = { _ in unwatchBoth() }
    try loop.watch(first, one.near, for: EPOLLIN.rawValue)
    try loop.watch(second, two.near, for: EPOLLIN.rawValue)
    // Both are ready in one wake-up: the second event is already fetched when its source goes.
    for pair in [one, two] { _ = "x".withCString { write(pair.far, $0, 1) } }
    _ = Alarm(loop, at: loop.now + 50_000_000) { loop.stop() }
    try loop.run()
    #expect(calls == 1)
  }

  @Test func `an event fetched for a closed descriptor does not reach the next owner of its slot`()
    throws
  {
    let loop = try EventLoop()
    let (one, two, three) = (try Pair(), try Pair(), try Pair())
    let (first, second, heir) = (Probe(), Probe(), Probe())
    var heirCalls = 0
    heir.onReady = { _ in heirCalls += 1 }
    let handOver = {
      loop.unwatch(first, one.near)
      loop.unwatch(second, two.near)
      do { try loop.watch(heir, three.near, for: EPOLLIN.rawValue) } catch { Issue.record(error) }
    }
    first.onReady = { _ in handOver() }
    second.onReady = { _ in handOver() }
    try loop.watch(first, one.near, for: EPOLLIN.rawValue)
    try loop.watch(second, two.near, for: EPOLLIN.rawValue)
    for pair in [one, two] { _ = "x".withCString { write(pair.far, $0, 1) } }
    _ = Alarm(loop, at: loop.now + 50_000_000) { loop.stop() }
    try loop.run()
    #expect(heirCalls == 0)
  }

  @Test func `a descriptor that cannot be watched leaves nothing behind`() throws {
    let loop = try EventLoop()
    let probe = Probe()
    #expect(throws: SystemError(call: "epoll_ctl", code: EBADF)) {
      try loop.watch(probe, 1_000_000, for: EPOLLIN.rawValue)
    }
    #expect(loop.sourceCount == 0)
  }

  @Test func `an expired source may set its deadline anew`() throws {
    let loop = try EventLoop()
    let probe = Probe()
    var rings = 0
    probe.onExpiry = {
      rings += 1
      if rings == 3 { loop.stop() } else { loop.setDeadline(probe, at: loop.now + 1_000_000) }
    }
    loop.add(probe)
    loop.setDeadline(probe, at: loop.now)
    let limit = LoopLimit(loop)
    try loop.run()
    #expect(rings == 3)
    #expect(!limit.hasPassed)
  }

  @Test func `a replaced source's events go to the other`() throws {
    let loop = try EventLoop()
    let pair = try Pair()
    let (old, new) = (Probe(), Probe())
    var calls: [String] = []
    old.onReady = { _ in calls.append("old") }
    new.onReady = { _ in
      calls.append("new")
      loop.stop()
    }
    try loop.watch(old, pair.near, for: EPOLLIN.rawValue)
    loop.replace(old, with: new)
    #expect(loop.source(token: new.token) === new)
    #expect(loop.source(inSlot: new.slot) === new)
    _ = "x".withCString { write(pair.far, $0, 1) }
    let limit = LoopLimit(loop)
    try loop.run()
    #expect(calls == ["new"])
    #expect(!limit.hasPassed)
  }
}
