import Foundation
import GatewayPlugin
import PluginStorage
import TestSupport
import Testing

@testable import AgentForge
@testable import P2PFog

/// The worker with Agent Forge itself behind it, as they meet through the host: by JSON alone.
@Suite("Training for the fog, with Agent Forge itself")
struct WorkerTrainingTests {
  /// Agent Forge's side: real phases, runs and models.
  struct Forge {
    let folder = WorkerFolder()
    let models: ModelStore
    let queue: RunQueue
    let service: TrainService

    init() throws {
      let database = try Database(path: folder.path + "/forge.sqlite", schema: .forge)
      let models = try ModelStore(database: database, directory: folder.path)
      let files = try LentFiles(directory: folder.path)
      queue = try RunQueue(
        RunStore(database),
        RunSurroundings(
          catalogue: PhaseCatalog.all,
          load: { id, owner, account in try models.load(id, owner: owner, account) },
          hasModel: { id, owner in try models.record(id, owner: owner) != nil },
          store: { model, facts in try models.storeOnce(model, facts).id },
          checkpoints: try CheckpointStore(directory: folder.path),
          files: TrainingFiles(files.before { (_, _, _) throws(HostRefusal) in throw .notFound }),
          startJob: { _, work in Thread.detachNewThread { work { false } } },
          publish: { _, _, _ in },
          measure: { _ in },
          parallel: .serial,
          warn: { what, why in Issue.record("\(what) \(why)") }
        ),
        RunQueue.Limits(),
        directory: folder.path
      )
      queue.activate()
      self.models = models
      service = TrainService(
        runs: TrainAnswers(queue: queue, directory: folder.path, minFreeBytes: 0),
        models: models,
        files: files,
        shards: 1,
        forget: { _ in }
      )
    }

    func answer(_ call: WorkerSurroundings.ServiceCall) throws(HostRefusal) -> JSON {
      if call.service == InferenceJob.service { throw .notFound }
      do { return try service.answer(call.method, call.argument, subject: call.subject) } catch {
        throw error as? HostRefusal ?? .failed(-1)
      }
    }
  }

  @Test(
    "a model is trained on the submitter's text, comes back whole, and nothing of it stays here"
  )
  func aModelIsTrained() throws {
    let forge = try Forge()
    let bench = try WorkerBench(isolate: WorkerTests.cannotIsolate) { (call) throws(HostRefusal) in
      try forge.answer(call)
    }
    bench.begin(waitsForIsolation: false)
    bench.expect("Agent Forge is found") { bench.worker.forge.withLock { $0.trains } }
    let sentence = "The quick brown fox jumps over the lazy dog. "
    let text = Array(String(repeating: sentence, count: 400).utf8)
    let end = try bench.run("", files: [("text.txt", text)], seconds: 60) {
      $0.type = .train
      $0.requirements.maxDurationSeconds = 60
      $0.parameters = [
        "phase_name": "cognate", "max_steps": 20, "batch_size": 2,
        "parameters": [
          "data": ["file-lease-0"], "count": 1, "width": 16, "layers": 1, "heads": 2, "hidden": 32,
          "context": 32, "vocabulary": 300,
        ],
      ]
    }
    #expect(end.outcome == "succeeded" && end.usage.memoryPeakMegabytes > 0, "\(end)")
    let log = bench.coordinator.text("lease")
    #expect(log.contains("the caller's text") && log.contains("step 20 of 20, loss "))
    let report = try JSON.parse(bench.coordinator.output("lease", "report.json") ?? [])
    #expect(report["models"]?.asArray?.count == 1)
    // The archive is one that the import reads.
    let archive = try #require(bench.coordinator.output("lease", "model.tar"))
    let names = try TarBuilder.files(archive).map(\.name)
    #expect(names == ModelFolder.File.allCases.map(\.rawValue))
    bench.expect("all of it is removed here") {
      (try? forge.queue.store.owners(beginning: "fog:")) == []
    }
    #expect(forge.folder.all.allSatisfy { !$0.hasPrefix("lent/") && !$0.hasPrefix("models/") })
  }

  @Test("what Agent Forge has against a run is told in its words")
  func badRunsAreExplained() throws {
    let forge = try Forge()
    let bench = try WorkerBench(isolate: WorkerTests.cannotIsolate) { (call) throws(HostRefusal) in
      try forge.answer(call)
    }
    bench.begin(waitsForIsolation: false)
    bench.expect("Agent Forge is found") { bench.worker.forge.withLock { $0.trains } }
    let end = try bench.run("") {
      $0.type = .train
      $0.parameters = ["phase_name": "cognate", "max_steps": 0]
    }
    #expect(end.outcome == "failed" && end.reason.hasPrefix("parameters: "))
    #expect(end.reason.contains("max_steps must be a whole number of 1 to 1000000, not 0"))
  }
}
