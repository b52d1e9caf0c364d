import GatewayPlugin
import Peering
import PluginStorage
import Synchronization
import Testing

@testable import P2PFog

/// Agent Forge as a worker sees it: keeps what it was told, and answers as a test wants.
final class ScriptedForge: Sendable {
  struct Book {
    var calls: [WorkerSurroundings.ServiceCall] = []
    var files: [String: [UInt8]] = [:]
    var body: JSON = .null
    var step = 0
    var steps = 4
    var end = "completed"
    var model = [UInt8](repeating: 7, count: 300_000)
    var startError: JSON?
    var isCleared = 0
    var subjects: Set<String> = []
    /// The next calls fail with this.
    var failures: [HostRefusal] = []
  }

  let book = Mutex(Book())

  func answer(_ call: WorkerSurroundings.ServiceCall) throws(HostRefusal) -> JSON {
    try book.withLock { (book) throws(HostRefusal) in
      book.calls.append(call)
      if call.method != "describe", call.method != "sweep", call.subject != "fog:node" {
        book.subjects.insert(call.subject)
        if !book.failures.isEmpty { throw book.failures.removeFirst() }
      }
      return call.service == "forge.generate"
        ? Self.generate(call) : try Self.train(call, &book)
    }
  }

  private static func generate(_ call: WorkerSurroundings.ServiceCall) -> JSON {
    guard let prompt = call.argument["prompt"]?.asString else {
      return ["error": ["code": "VALIDATION_ERROR", "message": "prompt is required"]]
    }
    if call.argument["model_id"] == "gone" {
      return ["error": ["code": "RESOURCE_NOT_FOUND", "message": "There is no model gone."]]
    }
    return [
      "model_id": "m", "text": .string("answer to \(prompt)"), "finish_reason": "stop",
      "usage": ["total_tokens": 3], "cpu_ms": 0.75,
    ]
  }

  private static func train(
    _ call: WorkerSurroundings.ServiceCall,
    _ book: inout Book
  ) throws(HostRefusal) -> JSON {
    switch call.method {
    case "sweep": return ["left": 0]
    case "describe": return ["phases": []]
    case "put":
      let id = call.argument["file_id"]?.asString ?? ""
      let bytes = Base64.decode(Array((call.argument["data"]?.asString ?? "").utf8).span) ?? []
      book.files[id, default: []] += bytes
      return ["size": .integer(Int64(book.files[id]?.count ?? 0))]
    case "start":
      if let error = book.startError { return ["error": error] }
      book.body = call.argument["body"] ?? .null
      return ["run_id": "run"]
    case "status":
      book.step = min(book.steps, book.step + 1)
      let isOver = book.step == book.steps
      let after = Int(call.argument["after"]?.asInteger ?? 0)
      let lines = (after..<max(after, book.step)).map { number in
        ["sequence": .integer(Int64(number + 1)), "line": .string("loss of step \(number + 1)")]
          as JSON
      }
      return [
        "status": .string(isOver ? book.end : "running"), "step": .integer(Int64(book.step)),
        "steps": .integer(Int64(book.steps)),
        "error": isOver && book.end == "failed" ? "The data are empty." : .null,
        "report": isOver ? ["loss": 0.5] : .null,
        "cpu_ms": .integer(Int64(book.step * 20)), "memory_bytes_peak": 3_000_000,
        "models": isOver && book.end == "completed" ? ["model"] : [],
        "lines": .array(lines),
      ]
    case "export":
      let offset = Int(call.argument["offset"]?.asInteger ?? 0)
      let length = Int(call.argument["length"]?.asInteger ?? 0)
      let piece = Array(book.model.dropFirst(offset).prefix(length))
      return ["data": .string(Base64.encode(piece)), "size": .integer(Int64(book.model.count))]
    case "clear":
      book.isCleared += 1
      return ["left": .integer(book.isCleared > 1 ? 0 : 1)]
    default: throw .unsupported(call.method)
    }
  }
}

@Suite("Agent Forge for the fog", .serialized)
struct WorkerForgeTests {
  static func bench(
    _ forge: ScriptedForge,
    _ settings: WorkerSettings = WorkerSettings(),
    own: Bool = false
  ) throws -> WorkerBench {
    let id = ScriptedCoordinator.id(2)
    let coordinator = own ? ScriptedCoordinator(own: id, peer: id) : ScriptedCoordinator()
    let bench = try WorkerBench(
      settings,
      coordinator: coordinator,
      isolate: WorkerTests.cannotIsolate,
      service: { (call) throws(HostRefusal) in try forge.answer(call) }
    )
    bench.begin(waitsForIsolation: false)
    bench.expect("Agent Forge is found") {
      bench.worker.forge.withLock { $0.trains && $0.answers }
    }
    return bench
  }

  static func run(
    _ bench: WorkerBench,
    _ type: JobType,
    _ parameters: JSON,
    files: [(name: String, bytes: [UInt8])] = [],
    change: (inout LeaseOffer) -> Void = { _ in }
  ) throws -> ScriptedCoordinator.Finish {
    try bench.run("", files: files) {
      $0.type = type
      $0.parameters = parameters
      change(&$0)
    }
  }

  static let body: JSON = [
    "phase_name": "cognate", "max_steps": 4, "parameters": ["data": ["file-lease-0"], "seed": 3],
  ]

  @Test("a run is given its data, followed by its steps and lines, and gives model and report")
  func aRunIsFollowed() throws {
    let forge = ScriptedForge()
    let bench = try Self.bench(forge)
    let data = Array(String(repeating: "some text. ", count: 30_000).utf8)
    let end = try Self.run(bench, .train, Self.body, files: [("a.txt", data)])
    #expect(end.outcome == "succeeded" && end.usage.memoryPeakMegabytes == 3)
    #expect(end.usage.cpuMilliseconds == 80)
    #expect(bench.coordinator.output("lease", "model.tar") == [UInt8](repeating: 7, count: 300_000))
    let report = bench.coordinator.output("lease", "report.json") ?? []
    #expect(try JSON.parse(report)["loss"] == 0.5)
    #expect(bench.coordinator.text("lease") == (1...4).map { "loss of step \($0)\n" }.joined())
    let book = forge.book.withLock { $0 }
    let lent = try #require(book.files.first)
    #expect(lent.value == data)
    #expect(book.body["parameters"]?["data"] == [.string(lent.key)])
    #expect(book.body["parameters"]?["seed"] == 3 && book.body["phase_name"] == "cognate")
    // The run still ends when it is cleared first, and is cleared again.
    bench.expect("all is cleared") { forge.book.withLock { $0.isCleared } == 2 }
    #expect(
      book.subjects.count == 1
        && book.subjects.first?.hasPrefix("fog:\(bench.coordinator.peer):fog-") == true
    )
    #expect(
      bench.coordinator.book.withLock {
        $0.beats.flatMap(\.self).contains { ($0["progress"]?.asNumber ?? 0) > 0 }
      }
    )
  }

  @Test("Agent Forge that is replaced or busy for a moment is not the end of a job")
  func shortAbsenceOfForge() throws {
    let forge = ScriptedForge()
    let bench = try Self.bench(forge)
    forge.book.withLock { $0.failures = [.notFound, .busy, .timeout, .gone] }
    let end = try Self.run(bench, .train, Self.body, files: [("a.txt", [65])])
    #expect(end.outcome == "succeeded")
  }

  @Test("what is wrong with a run is its job's fault, what this node lacks is not")
  func trainFaultsAreToldApart() throws {
    let forge = ScriptedForge()
    let bench = try Self.bench(forge)
    forge.book.withLock {
      $0.startError = [
        "status": 422, "code": "VALIDATION_ERROR", "message": "No.",
        "details": [
          ["field": "phase_name", "reason": "must be one of cognate"],
          ["field": "seed", "reason": "is no number"],
        ],
      ]
    }
    let invalid = try Self.run(bench, .train, Self.body, files: [("a", [65])])
    #expect(invalid.outcome == "failed")
    #expect(invalid.reason == "parameters: phase_name must be one of cognate; seed is no number.")
    forge.book.withLock { $0.startError = ["status": 507, "code": "", "message": "No space."] }
    let full = try bench.run("", id: "full", files: [("a", [65])]) {
      $0.type = .train
      $0.parameters = ["phase_name": "cognate"]
    }
    #expect(full.reason == "node: Agent Forge refused: No space.")
    forge.book.withLock {
      $0.startError = nil
      $0.end = "failed"
    }
    let failed = try bench.run("", id: "failed") {
      $0.type = .train
      $0.parameters = ["phase_name": "cognate"]
    }
    #expect(failed.reason == "train: The data are empty." && failed.outcome == "failed")
    let stranger = try bench.run("", id: "stranger") {
      $0.type = .train
      $0.parameters = Self.body
    }
    #expect(stranger.reason.contains("none of the job's inputs"))
  }

  @Test("a run that takes too long is ended, and a model over the quota is not sent")
  func trainLimitsHold() throws {
    let forge = ScriptedForge()
    let bench = try Self.bench(forge)
    forge.book.withLock { $0.steps = 1_000_000 }
    let late = try Self.run(bench, .train, ["phase_name": "cognate"]) {
      $0.requirements.maxDurationSeconds = 1
    }
    #expect(late.reason == "time: the job ran longer than 1 s")
    forge.book.withLock {
      $0.steps = 2
      $0.step = 0
    }
    let large = try bench.run("", id: "large") {
      $0.type = .train
      $0.parameters = ["phase_name": "cognate"]
      $0.outputBytes = 100_000
    }
    #expect(large.reason == "output: the models have more than 100000 bytes")
    #expect(bench.coordinator.book.withLock { $0.outputs["large"] } == nil)
  }

  @Test("a job submitted here asks its submitter's model, prompt by prompt")
  func ownModelsAnswer() throws {
    let forge = ScriptedForge()
    let bench = try Self.bench(forge, own: true)
    #expect(
      bench.coordinator.book.withLock { $0.reports.last?.capabilities.contains("inference") } != nil
    )
    let end = try Self.run(
      bench,
      .inference,
      ["model_id": "m", "prompts": ["one", "two"], "seed": 1]
    ) {
      $0.subject = "ada"
    }
    #expect(end.outcome == "succeeded" && end.usage.cpuMilliseconds == 1)
    let answers = try JSON.parse(bench.coordinator.output("lease", "answers.json") ?? [])
    #expect(
      answers["answers"]?.asArray?.compactMap { $0["text"]?.asString } == [
        "answer to one", "answer to two",
      ]
    )
    #expect(answers["answers"]?.asArray?.compactMap { $0["index"]?.asInteger } == [0, 1])
    #expect(forge.book.withLock { $0.subjects } == ["ada"])
    #expect(
      forge.book.withLock { $0.calls.last { $0.argument["prompt"] != nil }?.argument["seed"] } == 1
    )
    let gone = try bench.run("", id: "gone") {
      $0.type = .inference
      $0.subject = "ada"
      $0.parameters = ["model_id": "gone", "prompts": ["one"]]
    }
    #expect(
      gone.outcome == "failed" && gone.reason == "inference: prompt 0: There is no model gone."
    )
  }

  @Test("a job of another gateway asks shared models alone, whatever subject it names")
  func sharedModelsAnswer() throws {
    let forge = ScriptedForge()
    var settings = WorkerSettings()
    settings.sharedModels = [.init(modelID: "m", subject: "bob")]
    let bench = try Self.bench(forge, settings)
    bench.expect("it is said") {
      bench.coordinator.book.withLock { $0.reports.last?.capabilities.contains("model:m") == true }
    }
    let end = try Self.run(bench, .inference, ["model_id": "m", "prompts": ["one"]]) {
      $0.subject = "ada"
    }
    #expect(end.outcome == "succeeded")
    #expect(forge.book.withLock { $0.subjects } == ["bob"])
    let other = try bench.run("", id: "other") {
      $0.type = .inference
      $0.subject = "ada"
      $0.parameters = ["model_id": "private", "prompts": ["one"]]
    }
    #expect(
      other.outcome == "failed" && other.reason.hasPrefix("node: this node has no model private")
    )
    #expect(forge.book.withLock { $0.subjects } == ["bob"])
  }
}
