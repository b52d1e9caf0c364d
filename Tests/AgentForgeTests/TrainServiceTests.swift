import GatewayPlugin
import PluginStorage
import Synchronization
import TestSupport
import Testing

@testable import AgentForge

@Suite("Training for another plugin")
struct TrainServiceTests {
  /// The service over a bench, with files and models of its own.
  struct Desk {
    let bench: RunBench
    let models: ModelStore
    let files: LentFiles
    let service: TrainService

    init() throws {
      bench = try RunBench()
      let path = bench.folder.path
      models = try ModelStore(
        database: try Database(path: path + "/models.sqlite", schema: .forge),
        directory: path
      )
      files = try LentFiles(directory: path)
      service = TrainService(
        runs: TrainAnswers(queue: bench.queue, directory: path, minFreeBytes: 0),
        models: models,
        files: files,
        shards: 2,
        forget: { _ in }
      )
    }

    func ask(_ method: String, _ argument: JSON = [:], _ subject: String = "fog:a") throws -> JSON {
      try service.answer(method, argument, subject: subject)
    }

    func put(_ id: String, _ offset: Int, _ text: String, _ subject: String = "fog:a") throws -> Int
    {
      let argument: JSON = [
        "file_id": .string(id), "offset": .integer(Int64(offset)),
        "data": .string(Base64.encode(Array(text.utf8))),
      ]
      return Int(try ask("put", argument, subject)["size"]?.asInteger ?? -1)
    }
  }

  static func refusal(_ body: () throws -> Void) -> HostRefusal? {
    do {
      try body()
      return nil
    } catch { return error as? HostRefusal }
  }

  static let body: JSON = ["phase_name": "cognate", "max_steps": 5]

  @Test("a run is started, followed line by line, and cleared with all that it left")
  func aRunIsFollowed() throws {
    let desk = try Desk()
    let run = try #require(try desk.ask("start", ["body": Self.body])["run_id"]?.asString)
    let before = try desk.ask("status", ["run_id": .string(run), "after": 0])
    #expect(before["status"] == "running" && before["step"] == 0 && before["models"] == [])
    #expect(try desk.ask("clear")["left"] == 1, "its thread has not ended")
    desk.bench.work()
    #expect(try desk.ask("clear")["left"] == 0)
    #expect(try desk.bench.store.run(run, owner: nil) == nil)

    SteppedPhase.scripts.withLock { $0["busy"] = { _ in spend(milliseconds: 3) } }
    let busy: JSON = [
      "phase_name": "cognate", "max_steps": 5, "parameters": ["script": "busy"],
    ]
    let next = try #require(try desk.ask("start", ["body": busy])["run_id"]?.asString)
    desk.bench.work()
    let after = try desk.ask("status", ["run_id": .string(next), "after": 0])
    #expect(after["status"] == "completed" && after["step"] == 5 && after["steps"] == 5)
    #expect(after["models"] == ["model-1"] && after["report"]?["from"] == 0)
    #expect((15...1000).contains(after["cpu_ms"]?.asInteger ?? 0), "\(after)")
    #expect(after["memory_bytes_peak"] == 400)
    let lines = after["lines"]?.asArray ?? []
    #expect(lines.first?["line"] == "from step 0")
    let last = try #require(lines.last?["sequence"])
    #expect(try desk.ask("status", ["run_id": .string(next), "after": last])["lines"] == [])
    #expect(
      try desk.ask("status", ["run_id": .string(next), "after": 0], "fog:b")["error"]?["code"]
        == "RESOURCE_NOT_FOUND"
    )
  }

  @Test("a bad body is answered with every fault, and nothing is started")
  func badBodiesAreAnswered() throws {
    let desk = try Desk()
    let answer = try desk.ask("start", ["body": ["phase_name": "alchemy", "max_steps": 0]])
    #expect(answer["error"]?["status"] == 422 && answer["error"]?["code"] == "VALIDATION_ERROR")
    #expect(answer["error"]?["details"] != nil)
    #expect(try desk.ask("start")["error"]?["status"] == 422)
    #expect(desk.bench.jobs == 0)
  }

  @Test("a cancelled run ends, also twice")
  func runsAreCancelled() throws {
    let desk = try Desk()
    let run = try #require(try desk.ask("start", ["body": Self.body])["run_id"])
    #expect(try desk.ask("cancel", ["run_id": run], "fog:b") == [:])
    #expect(try desk.ask("status", ["run_id": run, "after": 0])["status"] == "running")
    #expect(try desk.ask("cancel", ["run_id": run]) == [:])
    #expect(try desk.ask("cancel", ["run_id": run]) == [:])
    desk.bench.work()
    #expect(try desk.ask("status", ["run_id": run, "after": 0])["status"] == "cancelled")
  }

  @Test("only subjects of the fog are served, and no user's run is touched")
  func usersAreOutOfReach() throws {
    let desk = try Desk()
    let users = try desk.bench.add()
    for subject in ["", "ada", "Fog:a", String(repeating: "fog:", count: 100)] {
      #expect(Self.refusal { _ = try desk.ask("describe", [:], subject) } == .denied)
    }
    #expect(try desk.ask("describe")["phases"]?.asArray?.contains("cognate") == true)
    #expect(try desk.ask("sweep")["left"] == 0)
    #expect(try desk.bench.status(users) == .running)
    #expect(Self.refusal { _ = try desk.ask("steal") } == .unsupported("forge.train steal"))
  }

  @Test("files come in pieces that may be repeated, and are their subject's alone")
  func filesAreLent() throws {
    let desk = try Desk()
    let id = UUID4.make()
    #expect(try desk.put(id, 0, "hello ") == 6)
    #expect(try desk.put(id, 0, "hello ") == 6)
    #expect(try desk.put(id, 6, "world") == 11)
    #expect(try desk.put(id, 3, "lo world") == 11)
    #expect(Self.refusal { _ = try desk.put(id, 12, "x") } == .argument)
    #expect(Self.refusal { _ = try desk.put("../../etc/passwd", 0, "x") } == .argument)
    let call = desk.files.before { (_, _, _) throws(HostRefusal) in throw .denied }
    let files = TrainingFiles(call)
    #expect(try files.describe(id, owner: "fog:a")?.size == 11)
    #expect(try files.describe(id, owner: "fog:a")?.isText == true)
    #expect(try files.describe(id, owner: "fog:b") == nil)
    #expect(try files.documents([id], owner: "fog:a").count == 1)
    #expect(Self.refusal { _ = try call("describe", ["file_id": .string(id)], "ada") } == .denied)
    _ = try desk.ask("clear")
    #expect(try files.describe(id, owner: "fog:a") == nil)
  }

  @Test("one subject's files are bounded in number and size")
  func filesAreBounded() throws {
    let desk = try Desk()
    for _ in 0..<LentFiles.maxFiles { _ = try desk.put(UUID4.make(), 0, "x") }
    #expect(Self.refusal { _ = try desk.put(UUID4.make(), 0, "x") } == .limit)
    let piece = [UInt8](repeating: 65, count: LentFiles.pieceBytes)
    let id = UUID4.make()
    for number in 0..<(LentFiles.maxBytes / piece.count) {
      _ = try desk.files.put(id, subject: "fog:b", offset: number * piece.count, piece)
    }
    #expect(
      Self.refusal { _ = try desk.files.put(id, subject: "fog:b", offset: LentFiles.maxBytes, [1]) }
        == .limit
    )
    #expect(
      Self.refusal { _ = try desk.files.put(id, subject: "fog:c", offset: 0, piece + [1]) }
        == .argument
    )
  }

  @Test(
    "a model leaves in pieces of any size, as the archive that the import reads",
    arguments: [100, 511, 512, 4096, 262_144]
  )
  func modelsAreExported(piece: Int) throws {
    let desk = try Desk()
    let facts = ModelFacts(
      name: "m",
      owner: "fog:a",
      phase: "cognate",
      run: "",
      parents: [],
      metrics: [:],
      dataFingerprint: ""
    )
    let record = try desk.models.store(tinyModel(), facts)
    var whole: [UInt8] = []
    try ModelExport(record, desk.models).writeArchive { whole += $0 }
    var bytes: [UInt8] = []
    while true {
      let argument: JSON = [
        "model_id": .string(record.id), "offset": .integer(Int64(bytes.count)),
        "length": .integer(Int64(piece)),
      ]
      let answer = try desk.ask("export", argument)
      #expect(answer["size"] == .integer(Int64(whole.count)))
      let packed = Array((answer["data"]?.asString ?? "?").utf8)
      let part = Base64.decode(packed.span) ?? []
      bytes += part
      if part.count < piece { break }
    }
    #expect(bytes == whole)
    #expect(try TarBuilder.files(bytes).map(\.name) == ModelFolder.File.allCases.map(\.rawValue))
    let other: JSON = ["model_id": .string(record.id), "offset": 0, "length": 10]
    #expect(try desk.ask("export", other, "fog:b")["error"]?["code"] == "RESOURCE_NOT_FOUND")
    #expect(
      Self.refusal {
        _ = try desk.ask("export", ["model_id": "x", "offset": 0, "length": 262_145])
      } == .argument
    )
    #expect(try desk.ask("clear")["left"] == 0)
    #expect(try desk.models.record(record.id, owner: "fog:a") == nil)
  }

  @Test("a sweep removes every such subject's runs and files, and no user's")
  func sweepsRemoveAll() throws {
    let desk = try Desk()
    let users = try desk.bench.add()
    for subject in ["fog:a", "fog:b"] {
      _ = try desk.ask("start", ["body": Self.body], subject)
      _ = try desk.put(UUID4.make(), 0, "x", subject)
    }
    // The user's run has the only place; the others wait, and are gone at once.
    #expect(try desk.ask("sweep")["left"] == 0)
    #expect(try desk.bench.store.owners(beginning: "fog:") == [])
    #expect(desk.bench.folder.files.allSatisfy { !$0.hasPrefix("lent/") })
    desk.bench.work()
    #expect(try desk.bench.status(users) == .completed)
  }
}
