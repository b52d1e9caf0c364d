import CGatewayPlugin
import GatewayPlugin
import Synchronization
import Testing

@Suite("Jobs")
struct BoundaryJobsTests {
  /// Gives the `Host` of a loaded plugin.
  private func hosted(_ host: FakeHost) throws -> (Loaded, Host) {
    let box = Kept<Host>()
    var parts = TestPlugin.Parts()
    parts.start = { box.keep($0) }
    let loaded = try Loaded(parts, on: host)
    return (loaded, try #require(box.value))
  }

  @Test func `runs each closure once and lets it go`() throws {
    let fake = FakeHost()
    let (loaded, host) = try hosted(fake)
    let lives = Lives()
    let ran = Atomic<Int>(0)
    do {
      let tracked = Tracked(lives)
      let job = try host.jobs.start("long") { job in
        _ = tracked
        if job.shouldStop { ran.add(1, ordering: .relaxed) }
      }
      job.stop()
      try host.jobs.submit { _ in
        _ = tracked
        ran.add(10, ordering: .relaxed)
        throw PluginFailure("spoilt")
      }
    }
    #expect(lives.ended == 0)
    for job in fake.record.withLock({ $0.jobs }) { job.function(job.user, gw_job(v: 77)) }
    #expect(ran.load(ordering: .relaxed) == 11)
    #expect(lives.ended == 1)
    #expect(fake.logLines.contains { $0.contains("spoilt") })
    loaded.destroy()
  }

  @Test func `a refused job lets its closure go at once`() throws {
    let fake = FakeHost(refusals: ["start": GW_E_LIMIT, "submit": GW_E_BUSY])
    let (loaded, host) = try hosted(fake)
    let lives = Lives()
    do {
      let tracked = Tracked(lives)
      #expect(throws: HostRefusal.limit) { try host.jobs.start("a") { _ in _ = tracked } }
      #expect(throws: HostRefusal.busy) { try host.jobs.submit { _ in _ = tracked } }
    }
    #expect(lives.ended == 1)
    loaded.destroy()
  }

  @Test func `a periodic job runs again and again, until destroy`() throws {
    let fake = FakeHost()
    let lives = Lives()
    let ran = Kept<Int>()
    var parts = TestPlugin.Parts()
    parts.start = { host in
      let tracked = Tracked(lives)
      try host.jobs.every(.milliseconds(250), name: "tick") { _ in
        _ = tracked
        ran.keep((ran.value ?? 0) + 1)
      }
    }
    let loaded = try Loaded(parts, on: fake)
    let job = try #require(fake.record.withLock { $0.periodic.first })
    #expect(job.detail == "250")
    job.function(job.user, gw_job(v: 1))
    job.function(job.user, gw_job(v: 1))
    #expect(ran.value == 2)
    #expect(lives.ended == 0)
    loaded.destroy()
    #expect(lives.ended == 1)
  }

  @Test(arguments: [Set<String>(), [GW_JOBS_1]])
  func `divides a loop, with or without threads to lend`(_ missing: Set<String>) throws {
    let (loaded, host) = try hosted(FakeHost(missing: missing))
    let sum = Atomic<Int>(0)
    try host.jobs.parallel(10) { sum.add($0, ordering: .relaxed) }
    #expect(sum.load(ordering: .relaxed) == 45)
    #expect(throws: PluginFailure("three")) {
      try host.jobs.parallel(10) { if $0 == 3 { throw PluginFailure("three") } }
    }
    loaded.destroy()
  }

  @Test func `without gw.jobs a job is refused and says what is missing`() throws {
    let (loaded, host) = try hosted(FakeHost(missing: [GW_JOBS_1]))
    #expect(!host.jobs.isAvailable)
    #expect(throws: HostRefusal.unsupported(GW_JOBS_1)) { try host.jobs.submit { _ in } }
    #expect(throws: HostRefusal.unsupported(GW_JOBS_1)) { try host.jobs.start("a") { _ in } }
    loaded.destroy()
    #expect(throws: HostRefusal.unsupported(GW_JOBS_1)) { try host.jobs.submit { _ in } }
  }
}

/// A value that a closure leaves for the test.
final class Kept<Value: Sendable>: Sendable {
  private let stored = Mutex<Value?>(nil)
  var value: Value? { stored.withLock { $0 } }
  func keep(_ value: Value) { stored.withLock { $0 = value } }
}
