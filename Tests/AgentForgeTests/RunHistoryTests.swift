import GatewayPlugin
import PluginStorage
import Testing

@testable import AgentForge

@Suite("What runs leave behind")
struct RunHistoryTests {
  @Test("at most ten events a second, and the last point always")
  func eventsAreBounded() throws {
    let bench = try RunBench()
    // Three looks at the clock a step: 100 steps take 3 s.
    bench.shared.withLock { $0.tick = 10_000_000 }
    _ = try bench.add(steps: 100)
    let start = bench.shared.withLock { $0.clock }
    bench.work()
    let seconds = Double(bench.shared.withLock { $0.clock } - start) / 1e9
    let events = bench.events("training_progress")
    #expect(events.count > 5 && Double(events.count) <= seconds * 10 + 2)
    let last = try #require(events.last)
    #expect(last["step"] == 100 && last["progress"] == 1.0 && last["loss"] == 0.01)
    let numbers = events.compactMap { $0["number"]?.asInteger }
    #expect(numbers == Array(1...Int64(events.count)))
    #expect(bench.events("training_complete").first?["number"] == .integer(Int64(events.count + 1)))
    #expect(bench.shared.withLock { $0.events.allSatisfy { $0.owner == "ada" } })
  }

  @Test("a curve is thinned evenly and keeps its ends")
  func curvesAreThinned() throws {
    let bench = try RunBench()
    bench.shared.withLock { $0.tick = 10_000_000 }
    let id = try bench.add(steps: 6000)
    bench.work()
    let steps = try bench.store.curve(id).map(\.step)
    #expect(steps.count > RunStore.maxPoints / 4 && steps.count <= RunStore.maxPoints)
    #expect(steps.first == 1 && steps.last == 6000)
    #expect(steps == steps.sorted())
    #expect(try bench.run(id).step == 6000)
  }

  @Test("a log keeps so many lines, each cut at a whole character")
  func logsAreBounded() throws {
    let bench = try RunBench()
    let id = try bench.add()
    let lines = (1...RunStore.maxLines + 5).map { (at: Int64($0), text: "line \($0)") }
    for part in stride(from: 0, to: lines.count, by: 500) {
      let progress = RunStore.Progress(
        last: nil,
        etaSeconds: nil,
        events: 0,
        lines: Array(lines[part..<min(part + 500, lines.count)])
      )
      #expect(try bench.store.record(id, progress, isFirst: false).goesOn)
    }
    let page = try bench.store.lines(id, limit: 2, offset: 0)
    #expect(page.total == RunStore.maxLines && page.lines.map(\.sequence) == [6, 7])
    let last = try bench.store.lines(id, limit: 10, offset: RunStore.maxLines - 1).lines
    #expect(last.map(\.text) == ["line \(RunStore.maxLines + 5)"])
    #expect("aé".prefix(utf8: 3) == "aé" && "aé".prefix(utf8: 2) == "a")
  }

  @Test("nothing of a run that is over is written any more")
  func whatIsOverStays() throws {
    let bench = try RunBench()
    let id = try bench.add()
    #expect(try bench.queue.cancel(id, owner: "ada") != nil)
    let point = ProgressPoint(step: 1, steps: 5, loss: 1)
    let progress = RunStore.Progress(last: point, etaSeconds: 1, events: 1, points: [point])
    #expect(try bench.store.record(id, progress, isFirst: true).goesOn == false)
    #expect(try bench.store.curve(id).isEmpty)
    #expect(try bench.run(id).step == 0)
  }

  @Test("processor time adds up over attempts, of the memory the most counts")
  func usageAddsUp() throws {
    let bench = try RunBench()
    let id = try bench.add()
    let point = ProgressPoint(step: 1, steps: 5, loss: 1)
    for (last, time, peak) in [(point, 5, 900), (nil, 7, 300), (point, 11, 901)] {
      let progress = RunStore.Progress(
        last: last,
        etaSeconds: nil,
        events: 1,
        processorTime: UInt64(time),
        memoryPeak: peak
      )
      #expect(try bench.store.record(id, progress, isFirst: false).goesOn)
    }
    let run = try bench.run(id)
    #expect(run.processorTime == 23 && run.memoryPeak == 901)
  }

  @Test("runs of a database from before processor time was kept are read, and go on")
  func olderRunsAreRead() throws {
    let folder = TemporaryFolder()
    let path = folder.path + "/forge.sqlite"
    let run = RunRecord(
      id: "old",
      owner: "ada",
      phase: .cognate,
      isReal: true,
      order: PhaseOrder(maxSteps: 3, batchSize: 1, seed: 1, modelName: "m"),
      parameters: [:],
      models: [],
      files: [],
      shards: 1
    )
    let before = try Database(
      path: path,
      schema: DatabaseSchema(steps: [DatabaseSchema.forge.steps[0]])
    )
    try before.write { (connection) throws(StorageError) in try run.insert(&connection) }
    let bench = try RunBench(folder)
    let found = try bench.run("old")
    #expect(found.processorTime == 0 && found.memoryPeak == 0)
    bench.work()
    #expect(try bench.run("old").status == .completed)
  }

  @Test("numbers that are none are stored as absent")
  func nonsenseIsAbsent() throws {
    let bench = try RunBench()
    let id = try bench.add()
    let point = ProgressPoint(step: 1, steps: 5, loss: .nan, validationLoss: .infinity)
    let progress = RunStore.Progress(last: point, etaSeconds: .nan, events: 1, points: [point])
    _ = try bench.store.record(id, progress, isFirst: true)
    #expect(try bench.store.curve(id).map(\.loss) == [nil])
    #expect(try bench.run(id).loss == nil)
  }
}
