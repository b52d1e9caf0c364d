import GatewayPlugin
import PluginStorage
import Testing

@testable import AgentForge

@Suite("Runs over restarts and swaps")
struct RunRestartTests {
  @Test("a stopped run goes on in the next generation from its checkpoint")
  func aStoppedRunGoesOn() throws {
    let bench = try RunBench()
    let id = try bench.add(["script": "stop"])
    let waiting = try bench.add()
    SteppedPhase.scripts.withLock {
      $0["stop"] = { [shared = Shared(bench)] step in
        if step == 2 { shared.stop() }
      }
    }
    bench.work()
    #expect(try [id, waiting].map(bench.status) == [.running, .queued])
    #expect(bench.jobs == 0 && bench.events("training_error").isEmpty)
    SteppedPhase.scripts.withLock { $0["stop"] = { _ in } }

    let next = try RunBench(bench.folder)
    #expect(next.jobs == 1)
    next.work()
    let run = try next.run(id)
    #expect(run.status == .completed && run.report?["from"] == 2 && run.attempts == 2)
    #expect(try next.status(waiting) == .completed)
    let steps = try next.store.curve(id).map(\.step)
    #expect(steps == steps.sorted() && Set(steps).count == steps.count)
    let numbers = (bench.events("training_progress") + next.events("training_progress"))
      .filter { $0["task_id"]?.asString == id }.compactMap { $0["number"]?.asInteger }
    #expect(numbers == Array(1...Int64(numbers.count)) && numbers.count > 1)
  }

  /// Lets a script stop its bench, and see what it told, without keeping it.
  private final class Shared: @unchecked Sendable {
    private weak var bench: RunBench?
    init(_ bench: RunBench) { self.bench = bench }
    var lastNumber: Int {
      let last = bench?.events("training_progress").last
      return Int(last?["number"]?.asInteger ?? 0)
    }
    func stop() { bench?.shared.withLock { $0.stops = true } }
  }

  @Test("a swap that was called off goes on in the same generation")
  func aSwapIsCalledOff() throws {
    let bench = try RunBench()
    let id = try bench.add()
    bench.shared.withLock { $0.stops = true }
    bench.work()
    bench.queue.advance()
    #expect(try bench.status(id) == .running)
    #expect(bench.jobs == 0)
    bench.shared.withLock { $0.stops = false }
    bench.queue.activate()
    bench.work()
    #expect(try bench.status(id) == .completed)
  }

  @Test("a run that another generation works on is left alone until that has ended")
  func twoGenerationsNeverShareARun() throws {
    let old = try RunBench()
    let id = try old.add()
    let new = try RunBench(old.folder)
    #expect(old.jobs == 1 && new.jobs == 0)
    old.shared.withLock { $0.stops = true }
    old.work()
    new.queue.advance()
    #expect(new.jobs == 1)
    new.work()
    #expect(try new.status(id) == .completed)
  }

  @Test("a lock is taken once, and is free again after it")
  func aLockIsTakenOnce() throws {
    let folder = TemporaryFolder()
    let first = try #require(try RunLock(folder.path, "a"))
    #expect(try RunLock(folder.path, "a") == nil)
    #expect(try RunLock(folder.path, "b") != nil)
    first.release()
    let second = try #require(try RunLock(folder.path, "a"))
    first.release()
    #expect(try RunLock(folder.path, "a") == nil)
    second.release()
    #expect(folder.files == [])
  }

  @Test("a run that ends the process each time is given up after five times")
  func aCrashLoopEnds() throws {
    let folder = TemporaryFolder()
    let id = try RunBench(folder, isActive: false).add()
    for attempt in 1...5 {
      // A generation that takes the run up and is gone before it got anywhere.
      let crashed = try RunBench(folder)
      #expect(crashed.jobs == 1)
      #expect(try crashed.run(id).futileAttempts == attempt)
    }
    let last = try RunBench(folder)
    last.work()
    let run = try last.run(id)
    #expect(run.status == .failed && run.error?.contains("5 times") == true)
  }

  @Test("a crash at any time leaves numbers that no event has had")
  func numbersAfterACrash() throws {
    let bench = try RunBench()
    bench.shared.withLock { $0.tick = 50_000_000 }
    let id = try bench.add(steps: 60, ["script": "numbers"])
    SteppedPhase.scripts.withLock {
      $0["numbers"] = { [store = bench.store, shared = Shared(bench)] step in
        let run = try store.run(id, owner: nil)
        #expect(try #require(run).events >= shared.lastNumber)
      }
    }
    bench.work()
    #expect(bench.events("training_progress").count > 20)
  }

  @Test("a checkpoint counts as progress between crashes")
  func aCheckpointIsProgress() throws {
    let bench = try RunBench { $0.checkpointSeconds = 1 }
    bench.shared.withLock { $0.tick = 500_000_000 }
    let id = try bench.add(["script": "progress"])
    SteppedPhase.scripts.withLock {
      $0["progress"] = { [store = bench.store] step in
        guard step == 5 else { return }
        let run = try store.run(id, owner: nil)
        #expect(run?.futileAttempts == 0)
      }
    }
    #expect(try bench.run(id).futileAttempts == 1)
    bench.work()
    #expect(try bench.status(id) == .completed)
  }
}
