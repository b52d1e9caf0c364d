import GatewayPlugin
import PluginStorage
import Testing

@testable import AgentForge

@Suite("Pipelines")
struct PipelineTests {
  private let bench: RunBench

  init() throws { bench = try RunBench() }

  private func read(_ json: JSON) throws -> [RunRecord] {
    var reader = TrainRequest(owner: "ada", around: bench.queue.around, shards: 4)
    return try reader.pipeline(json)
  }

  private func start(_ json: JSON) throws -> [String] {
    let runs = try read(json)
    guard case .accepted = try bench.queue.add(runs) else { throw RunFailure("not accepted") }
    return runs.map(\.id)
  }

  private func faults(_ json: JSON) throws -> [String] {
    let failure = #expect(throws: Failure.self) { try read(json) }
    return failure?.details?.asArray?.compactMap { $0["field"]?.asString } ?? []
  }

  @Test("each phase takes the model that the one before it made")
  func eachTakesTheModelsBefore() throws {
    let ids = try start(["phases": ["cognate", "bitnet", "bitnet"], "max_steps": 2])
    #expect(try ids.map(bench.status) == [.running, .waiting, .waiting])
    bench.work()
    let runs = try ids.map(bench.run)
    #expect(runs.map(\.status) == [.completed, .completed, .completed])
    #expect(runs.map(\.models) == [[], ["model-1"], ["model-2"]])
    #expect(runs.map(\.order.maxSteps) == [2, 2, 2])
    let answer = RunAnswers(store: bench.store).pipeline("p", runs)
    #expect(answer["status"] == "completed" && answer["current_phase"] == .null)
    #expect(answer["progress"]?["overall_progress"] == 1.0)
  }

  @Test("a phase's own members count before those beside the list")
  func ownMembersCount() throws {
    let runs = try read([
      "phases": [["phase_name": "cognate", "max_steps": 3, "parameters": ["seed": 5]], "bitnet"],
      "max_steps": 2, "batch_size": 4, "parameters": ["seed": 9, "name": "n"],
    ])
    #expect(runs.map(\.order.maxSteps) == [3, 2] && runs.map(\.order.batchSize) == [4, 4])
    #expect(runs.map(\.order.seed) == [5, 9] && runs.map(\.name) == ["n", "n"])
    #expect(runs.map(\.place) == [0, 1] && Set(runs.map(\.pipeline)).count == 1)
  }

  @Test("null is the same as absent")
  func null() throws {
    let runs = try read([
      "phases": [["phase_name": "cognate", "max_steps": nil, "parameters": nil], "bitnet"],
      "max_steps": 3, "batch_size": nil, "parameters": ["seed": 4],
    ])
    #expect(runs.map(\.order.maxSteps) == [3, 3] && runs.map(\.order.batchSize) == [2, 2])
    #expect(runs.map(\.order.seed) == [4, 4])
    #expect(try read(["phases": ["cognate"], "parameters": nil]).map(\.parameters) == [[:]])
  }

  @Test("a failure cancels the rest with a reason; resuming takes the rest up again")
  func aFailureCancelsTheRest() throws {
    SteppedPhase.scripts.withLock { $0["fails"] = { _ in throw RunFailure("no") } }
    let ids = try start([
      "phases": [
        ["phase_name": "cognate", "parameters": ["script": "fails"]], "bitnet", "bitnet",
      ],
      "max_steps": 2,
    ])
    bench.work()
    #expect(try ids.map(bench.status) == [.failed, .cancelled, .cancelled])
    #expect(try bench.run(ids[2]).error == "The run of cognate before it failed.")
    #expect(try bench.queue.resume(ids[1], owner: "ada") == .needsPredecessor)
    SteppedPhase.scripts.withLock { $0["fails"] = { _ in } }
    #expect(try bench.queue.resume(ids[0], owner: "ada") == .queued)
    bench.work()
    #expect(try ids.map(bench.status) == [.completed, .completed, .completed])
  }

  @Test("cancelling the run it is at cancels the rest")
  func cancellingCancelsTheRest() throws {
    let ids = try start(["phases": ["cognate", "bitnet"], "max_steps": 2])
    #expect(try bench.queue.cancel(ids[0], owner: "ada") != nil)
    bench.work()
    #expect(try ids.map(bench.status) == [.cancelled, .cancelled])
  }

  @Test("a pipeline is taken whole or not at all")
  func aPipelineIsTakenWhole() throws {
    let tight = try RunBench { $0.waiting.queuedPerUser = 2 }
    #expect(try tight.queue.add(read(["phases": ["cognate", "bitnet"]])) == .accepted(removed: []))
    let more = try read(["phases": ["cognate", "bitnet"]])
    #expect(try tight.queue.add(more) == .ownerIsFull(waiting: 1))
    #expect(try tight.store.list(.init(owner: nil)).total == 2)
  }

  @Test("what cannot be a pipeline is refused, each fault by its place")
  func faultsAreNamed() throws {
    #expect(try faults([:]) == ["phases"])
    #expect(try faults(["phases": []]) == ["phases"])
    let many = JSON.array(Array(repeating: "cognate", count: TrainRequest.maxPhases + 1))
    #expect(try faults(["phases": many]) == ["phases"])
    #expect(
      try faults(["phases": ["cognate", "sleep", ["phase_name": "bitnet", "max_steps": 0]]])
        == ["phases[1].phase_name", "phases[2].max_steps"]
    )
    #expect(
      try faults([
        "phases": ["cognate", ["phase_name": "bitnet", "parameters": ["models": ["x"]]]]
      ]) == ["phases[1].parameters.models"]
    )
    #expect(
      try faults(["phases": ["cognate", "bitnet"], "real_training": false]) == ["real_training"]
    )
    let dry: JSON = ["phase_name": "cognate", "real_training": false]
    #expect(try faults(["phases": [dry, "bitnet"]]) == ["phases[0].real_training"])
    #expect(try read(["phases": ["cognate", dry]]).map(\.isReal) == [true, false])
    #expect(try read(["phases": ["cognate"], "real_training": false]).map(\.isReal) == [false])
    #expect(
      try faults(["phases": ["cognate"], "parameters": ["memory": 1]]).contains("parameters.memory")
    )
  }
}
