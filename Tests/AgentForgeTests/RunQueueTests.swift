import GatewayPlugin
import PluginStorage
import Testing

@testable import AgentForge

@Suite("The queue of runs")
struct RunQueueTests {
  @Test("a run trains, makes its model and reports what it measured")
  func aRunIsCompleted() throws {
    let bench = try RunBench()
    let id = try bench.add()
    #expect(try bench.status(id) == .running)
    bench.work()
    let run = try bench.run(id)
    #expect(run.status == .completed && run.step == 5 && run.steps == 5 && run.loss == 0.2)
    #expect(run.report?["from"] == 0 && run.report?["memory_bytes_estimated"] == 1000)
    #expect(run.report?["memory_bytes_peak"] == 400)
    #expect(try bench.store.models(id) == ["model-1"])
    #expect(bench.events("training_complete").map { $0["models"] } == [["model-1"]])
    #expect(bench.queue.running == 0)
    #expect(bench.folder.files.allSatisfy { !$0.contains("runs/") })
  }

  @Test("a dry run plans, and trains nothing")
  func aDryRunTrainsNothing() throws {
    let bench = try RunBench()
    let id = try bench.add(isReal: false) { _ in Issue.record("a dry run has trained") }
    bench.work()
    let run = try bench.run(id)
    #expect(run.status == .completed && run.step == 0)
    #expect(run.report?["parameter_count"] == 7 && run.report?["estimated_seconds"] == 1.5)
    #expect(run.report?["trained"] == false && run.report?["dry_run"] == true)
    #expect(try bench.store.models(id) == [])
  }

  @Test("runs go one after another, in their order, and each knows its place")
  func runsGoInTheirOrder() throws {
    let bench = try RunBench()
    let ids = try (0..<3).map { _ in try bench.add() }
    #expect(try ids.map(bench.status) == [.running, .queued, .queued])
    #expect(try ids.map(bench.store.position) == [nil, 1, 2])
    #expect(bench.jobs == 1)
    bench.work()
    #expect(try ids.map(bench.status) == [.completed, .completed, .completed])
    #expect(bench.events("training_complete").compactMap { $0["task_id"]?.asString } == ids)
  }

  @Test("as many run at once as the operator allows")
  func twoRunAtOnce() throws {
    let bench = try RunBench { $0.maxRunning = 2 }
    let ids = try (0..<3).map { _ in try bench.add() }
    #expect(try ids.map(bench.status) == [.running, .running, .queued])
    #expect(bench.jobs == 2)
    bench.work()
    #expect(try ids.map(bench.status) == [.completed, .completed, .completed])
  }

  @Test("a user may have so many waiting runs, and one more is refused")
  func waitingRunsAreLimited() throws {
    let bench = try RunBench { $0.waiting.queuedPerUser = 2 }
    for _ in 0..<3 { try bench.add() }
    #expect(throws: RunFailure.self) { try bench.add() }
    try bench.add(owner: "bob")
    bench.work()
    try bench.add()
  }

  @Test("all users together may have so many waiting runs")
  func allWaitingRunsAreLimited() throws {
    let bench = try RunBench { $0.waiting.queued = 2 }
    for owner in ["ada", "bob", "eve"] { try bench.add(owner: owner) }
    #expect(throws: RunFailure.self) { try bench.add(owner: "zoe") }
  }

  @Test("of runs that are over the oldest go when a new one comes")
  func oldRunsGo() throws {
    let bench = try RunBench { $0.waiting.keptPerUser = 2 }
    let ids = try (0..<3).map { _ in try bench.add() }
    bench.work()
    let last = try bench.add()
    #expect(try bench.store.run(ids[0], owner: nil) == nil)
    #expect(try [ids[1], ids[2], last].map(bench.status) == [.completed, .completed, .running])
  }

  @Test("a run cancelled mid-way ends at its next step, with a checkpoint, and resumes there")
  func aRunIsCancelledAndResumed() throws {
    let bench = try RunBench()
    let queue = bench.queue
    let id = try bench.add(["script": "cancel"])
    SteppedPhase.scripts.withLock {
      $0["cancel"] = { step in
        guard step == 3 else { return }
        let ended = try queue.cancel(id, owner: "ada")
        #expect(ended != nil)
      }
    }
    bench.work()
    var run = try bench.run(id)
    #expect(run.status == .cancelled && run.error?.contains("cancelled") == true)
    #expect(bench.events("training_error").map { $0["status"] } == ["cancelled"])
    #expect(try queue.cancel(id, owner: "ada") == nil)
    #expect(try queue.resume(id, owner: "ada") == .queued)
    bench.work()
    run = try bench.run(id)
    #expect(run.status == .completed && run.report?["from"] == 3 && run.attempts == 2)
    #expect(try queue.resume(id, owner: "ada") == .isNot(.completed))
    bench.expectNumbersWithoutGaps(id)
  }

  @Test("a queued run is cancelled at once, and no other owner can")
  func aQueuedRunIsCancelled() throws {
    let bench = try RunBench()
    _ = try bench.add()
    let id = try bench.add()
    #expect(try bench.queue.cancel(id, owner: "bob") == nil)
    #expect(try bench.queue.resume(id, owner: "bob") == .unknown)
    #expect(try bench.queue.cancel(id, owner: "ada") != nil)
    #expect(bench.events("training_error").count == 1)
    bench.work()
    #expect(try bench.status(id) == .cancelled)
    #expect(try bench.queue.resume(id, owner: "ada") == .queued)
    bench.work()
    bench.expectNumbersWithoutGaps(id)
  }

  @Test("a failure is a sentence, for the owner and in the log; the run can be resumed")
  func aFailureIsASentence() throws {
    let bench = try RunBench()
    let id = try bench.add { step in
      if step == 3 { throw RunFailure("The loss at step 3 is no number; lower the learning rate.") }
    }
    bench.work()
    let run = try bench.run(id)
    #expect(run.status == .failed && run.step == 2)
    #expect(run.error == "The loss at step 3 is no number; lower the learning rate.")
    #expect(try bench.store.lines(id, limit: 10, offset: 0).lines.last?.text == run.error)
    #expect(bench.events("training_error").first?["error"]?.asString == run.error)
    #expect(try bench.store.totals().lastFailure?.run == id)
    #expect(try bench.queue.resume(id, owner: "ada") == .queued)
    bench.work()
    bench.expectNumbersWithoutGaps(id)
  }

  @Test("an error of the server's own is not told to the owner")
  func anInnerErrorIsHidden() throws {
    let bench = try RunBench()
    let id = try bench.add { _ in throw StorageError.system(call: "secret", code: 5) }
    bench.work()
    #expect(try bench.run(id).error?.contains("secret") == false)
    #expect(bench.shared.withLock { $0.warnings }.contains { $0.contains("secret") })
    let full = try bench.add { _ in throw StorageError.full }
    bench.work()
    #expect(try bench.run(full).error?.contains("No space is left") == true)
  }

  @Test("a run that needs more memory than it may have fails with both numbers")
  func memoryIsChecked() throws {
    let bench = try RunBench { $0.maxMemoryBytes = 5000 }
    let fits = try bench.add(["memory": 5000])
    let large = try bench.add(["memory": 5001])
    bench.work()
    #expect(try bench.status(fits) == .completed)
    let error = try bench.run(large).error ?? ""
    #expect(error.contains("5001") && error.contains("5000;"))
  }

  @Test("a job that gets no thread puts its run back")
  func aRefusedJobGoesBack() throws {
    let bench = try RunBench()
    bench.shared.withLock { $0.refusesJobs = true }
    let id = try bench.add()
    #expect(try bench.status(id) == .queued)
    #expect(bench.queue.running == 0 && bench.shared.withLock { !$0.warnings.isEmpty })
    bench.shared.withLock { $0.refusesJobs = false }
    bench.queue.advance()
    bench.work()
    #expect(try bench.run(id).attempts == 1)
  }
}
