import GatewayPlugin
import Testing

@testable import AgentForge

@Suite("The shape of a model")
struct ModelShapeTests {
  /// A `config.json` with members changed.
  static func read(_ changes: KeyValuePairs<String, JSON>) throws -> ModelShape {
    var members = ModelStoreTests.shape.json.asMembers ?? []
    for (name, value) in changes {
      members.removeAll { $0.name == name }
      members.append(.init(name: name, value: value))
    }
    var fields = Fields(.object(members))
    let shape = ModelShape(&fields)
    try fields.finish(unknown: .ignored)
    return shape
  }

  @Test("a config.json comes back")
  func aConfigComesBack() throws {
    var shape = ModelStoreTests.shape
    #expect(try Self.read([:]) == shape)
    shape.halts = true
    shape.quantizesActivations = true
    shape.ropeBase = 500_000
    shape.normEpsilon = 1e-6
    var fields = Fields(shape.json)
    #expect(ModelShape(&fields) == shape)
  }

  @Test("the base of the rotary positions is found where each version of transformers writes it")
  func theRotaryBase() throws {
    let five: JSON = ["rope_theta": 5000, "rope_type": "default"]
    #expect(try Self.read(["rope_theta": nil, "rope_parameters": five]).ropeBase == 5000)
    #expect(try Self.read(["rope_theta": 600, "rope_parameters": nil]).ropeBase == 600)
    #expect(try Self.read(["rope_theta": nil, "rope_parameters": nil]).ropeBase == 10_000)
    #expect(try Self.read(["rope_scaling": ["type": "default"]]).ropeBase == 10_000)
  }

  @Test("what would be computed otherwise is refused by name")
  func whatIsComputedOtherwiseIsRefused() {
    let refused: KeyValuePairs<String, JSON> = [
      "rope_parameters": ["rope_type": "llama3", "rope_theta": 10_000],
      "rope_scaling": ["type": "linear", "factor": 2], "hidden_act": "gelu", "head_dim": 16,
      "num_key_value_heads": 1, "tie_word_embeddings": false, "model_type": "mistral",
      "num_attention_heads": 3, "max_position_embeddings": 7, "vocab_size": 65_537,
    ]
    for (name, value) in refused {
      let failure = #expect(throws: Failure.self) { try Self.read([name: value]) }
      let fields = ModelRoutesTests.fields(failure)
      #expect(fields.contains(name), "\(name): \(fields)")
    }
    let failure = #expect(throws: Failure.self) {
      try Self.read(["rope_parameters": ["rope_theta": 0.5]])
    }
    #expect(ModelRoutesTests.fields(failure) == ["rope_parameters.rope_theta"])
  }
}
