import GatewayPlugin
import PluginStorage
import Testing

@testable import AgentForge

@Suite("What a request to train asks for")
struct TrainRequestTests {
  private let bench: RunBench

  init() throws {
    bench = try RunBench(files: [
      "file-1": ("text/plain", "some words to learn from"),
      "file-2": ("application/pdf", "%PDF"),
    ])
    bench.shared.withLock { $0.models["ada/model-1"] = tinyModel() }
  }

  private func read(_ text: String, owner: String = "ada") throws -> RunRecord {
    var reader = TrainRequest(owner: owner, around: bench.queue.around, shards: 4)
    return try reader.run(try JSON.parse(text))
  }

  private func faults(_ text: String, owner: String = "ada") throws -> [String] {
    let failure = #expect(throws: Failure.self) { try read(text, owner: owner) }
    #expect(failure?.status == 422)
    return failure?.details?.asArray?.compactMap { $0["field"]?.asString } ?? []
  }

  @Test("the guide's body is read, and what it leaves out has defaults")
  func defaults() throws {
    let run = try read(#"{"phase_name": "cognate"}"#)
    #expect(run.phase == .cognate && run.isReal && run.order.maxSteps == 2000)
    #expect(run.order.batchSize == 2 && run.order.seed == 1 && run.shards == 2)
    #expect(run.name.hasPrefix("cognate-") && run.models.isEmpty && run.files.isEmpty)
    #expect(run.status == .queued && run.owner == "ada")
    #expect(UUID4.isWellFormed(run.id))
  }

  @Test("all members are read")
  func everything() throws {
    let run = try read(
      """
      {"phase_name": "cognate", "real_training": false, "max_steps": 1000000, "batch_size": 512,
       "parameters": {"base_models": ["model-1"], "data": ["file-1"], "name": "mine", "seed": 7,
                      "memory": 5}}
      """
    )
    #expect(!run.isReal && run.order.maxSteps == 1_000_000 && run.order.batchSize == 512)
    #expect(run.models == ["model-1"] && run.files == ["file-1"] && run.name == "mine")
    #expect(run.order.seed == 7 && run.shards == 4 && run.parameters["memory"] == 5)
  }

  @Test("bounds hold at their edges")
  func bounds() throws {
    #expect(try read(#"{"phase_name": "cognate", "max_steps": 1, "batch_size": 1}"#).shards == 1)
    for (field, values) in [
      ("max_steps", ["0", "1000001", "-1", "1.5"]), ("batch_size", ["0", "513"]),
    ] {
      for value in values {
        #expect(try faults(#"{"phase_name": "cognate", "\#(field)": \#(value)}"#) == [field])
      }
    }
  }

  @Test("an unknown phase names those there are; one that this release lacks is unknown")
  func unknownPhases() throws {
    for name in [#""""#, #""sleep""#, #""quietstar""#, "7"] {
      #expect(try faults(#"{"phase_name": \#(name), "max_steps": 5}"#) == ["phase_name"])
    }
    #expect(try faults("{}") == ["phase_name"])
    let failure = #expect(throws: Failure.self) { try read(#"{"phase_name": "sleep"}"#) }
    #expect(failure?.details?.asArray?.first?["allowed"] == ["cognate", "bitnet"])
  }

  @Test("every fault is named at once, those of the phase and of missing models and files too")
  func allFaults() throws {
    let found = try faults(
      """
      {"phase_name": "cognate", "max_steps": 0, "batch_size": 0, "more": 1,
       "parameters": {"models": ["gone"], "data": ["file-1", "gone", "file-2"], "seed": -1,
                      "memory": -1, "strange": 1, "name": ""}}
      """
    )
    #expect(
      Set(found) == [
        "max_steps", "batch_size", "more", "parameters.models[0]", "parameters.data[1]",
        "parameters.data[2]", "parameters.seed", "parameters.memory", "parameters.strange",
        "parameters.name",
      ]
    )
  }

  @Test("another's models and files are not there")
  func othersAreNotThere() throws {
    let text =
      #"{"phase_name": "cognate", "parameters": {"models": ["model-1"], "data": ["file-1"]}}"#
    #expect(try faults(text, owner: "bob") == ["parameters.models[0]", "parameters.data[0]"])
  }

  @Test("the number of models is the phase's to say")
  func numberOfModels() throws {
    #expect(try faults(#"{"phase_name": "bitnet"}"#) == ["parameters.models"])
    let three = #"["model-1", "model-1", "model-1"]"#
    #expect(
      try faults(#"{"phase_name": "cognate", "parameters": {"models": \#(three)}}"#)
        == ["parameters.models"]
    )
    #expect(
      try read(#"{"phase_name": "bitnet", "parameters": {"models": ["model-1"]}}"#).models
        == ["model-1"]
    )
  }

  @Test("null is the same as absent")
  func null() throws {
    let run = try read(
      #"{"phase_name": "cognate", "max_steps": null, "batch_size": null, "parameters": null}"#
    )
    #expect(run.order.maxSteps == 2000 && run.order.seed == 1 && run.parameters == [:])
    #expect(try faults(#"{"phase_name": null, "parameters": null}"#) == ["phase_name"])
  }

  @Test("a body that is no object, and parameters that are none, are refused")
  func noObject() throws {
    #expect(try faults("[]").contains(""))
    #expect(try faults(#"{"phase_name": "cognate", "parameters": 1}"#).contains("parameters"))
  }

  @Test("files that cannot be reached are a matter of the server")
  func unreachableFiles() throws {
    var around = bench.queue.around
    around.files = TrainingFiles { (_, _, _) throws(HostRefusal) in throw .notFound }
    var reader = TrainRequest(owner: "ada", around: around, shards: 4)
    let body: JSON = ["phase_name": "cognate", "parameters": ["data": ["file-1"]]]
    let failure = #expect(throws: Failure.self) { try reader.run(body) }
    #expect(failure?.status == 503)
  }

  @Test("files are read whole, piece by piece")
  func filesAreRead() throws {
    let documents = try bench.queue.around.files.documents(["file-1"], owner: "ada")
    #expect(documents == [.plain(Array("some words to learn from".utf8))])
    #expect(throws: RunFailure.self) {
      try bench.queue.around.files.documents(["file-2"], owner: "ada")
    }
    #expect(throws: RunFailure.self) {
      try bench.queue.around.files.documents(["gone"], owner: "ada")
    }
  }
}
