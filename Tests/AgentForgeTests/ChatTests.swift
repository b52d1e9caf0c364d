import Glibc
import PluginStorage
import Synchronization
import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("Chats")
struct ChatTests {
  /// A service whose user ada has the models hi, other and damaged.
  struct Scene {
    let database: TestDatabase
    let source: TestSource
    let service: ChatService

    init() throws {
      database = try TestDatabase()
      let damaged = TestModel.random()
      damaged.parameters.values[0] = .nan
      source = TestSource([
        "ada/hi": TestModel.answering("Hi!"), "ada/other": TestModel.answering("oh"),
        "ada/damaged": damaged,
      ])
      service = ChatService(models: source, database: database.database)
    }

    func ask(_ request: ChatRequest, owner: String = "ada") throws -> JSON? {
      try ChatTurn(request, owner: owner, service).answer(isCancelled: { false })
    }
  }

  @Test("an answer has the text, its usage and what was measured")
  func answers() throws {
    let scene = try Scene()
    let data = try #require(try scene.ask(ChatRequest(model: "hi", message: "Hello")))
    #expect(data["response"] == "Hi!" && data["model_id"] == "hi" && data["user_id"] == "ada")
    #expect(data["truncated"] == false)
    #expect(data["usage"] == ["prompt_tokens": 8, "completion_tokens": 4, "total_tokens": 12])
    let facts = try #require(data["metadata"])
    #expect(facts["finish_reason"] == "stop" && facts["model_version"] == "2023-11-14T22:13:20Z")
    #expect(
      (facts["inference_time_ms"]?.asNumber ?? 0) > 0
        && (facts["tokens_per_second"]?.asNumber ?? 0) > 0
    )
    #expect((0.5...1).contains(facts["confidence_score"]?.asNumber ?? 0))
  }

  @Test("a conversation remembers what was said, and goes on with another model")
  func conversationsRemember() throws {
    let scene = try Scene()
    let first = try #require(try scene.ask(ChatRequest(model: "hi", message: "one")))
    let id = try #require(first["conversation_id"]?.asString)
    let second = try scene.ask(ChatRequest(model: "other", message: "two", conversation: id))
    // The first two turns take 5 and 5 tokens, the message 5, the opening 1.
    #expect(second?["usage"]?["prompt_tokens"] == 16)
    let turns = try scene.service.conversations.turns(of: id, owner: "ada", limit: 9)
    #expect(turns.map(\.turn.content) == ["one", "Hi!", "two", "oh"])
    #expect(try scene.service.conversations.find(id, owner: "ada")?.model == "other")
  }

  @Test(
    "a model that is not there, or not the caller's, or deleted, is 404",
    arguments: ["bob", "ada"]
  )
  func unknownModels(owner: String) throws {
    let scene = try Scene()
    _ = try scene.ask(ChatRequest(model: "hi", message: "x"))
    scene.source.delete("ada/hi")
    let failure = #expect(throws: Failure.self) {
      try scene.ask(ChatRequest(model: "hi", message: "x"), owner: owner)
    }
    #expect(failure?.status == 404 && failure?.code == "RESOURCE_NOT_FOUND")
  }

  @Test("a cancelled turn is not stored, nor one whose listener is gone")
  func cancelledTurnsAreNotStored() throws {
    let scene = try Scene()
    let request = ChatRequest(model: "hi", message: "x", conversation: "c")
    let turn = try ChatTurn(request, owner: "ada", scene.service)
    #expect(try turn.answer(isCancelled: { true }) == nil)
    #expect(throws: HostRefusal.gone) {
      try turn.answer(isCancelled: { false }) { _ in throw HostRefusal.gone }
    }
    #expect(try scene.service.conversations.find("c", owner: "ada") == nil)
  }

  @Test("damaged weights are 500 with a reason, and nothing is stored")
  func damagedModels() throws {
    let scene = try Scene()
    let failure = #expect(throws: Failure.self) {
      try scene.ask(ChatRequest(model: "damaged", message: "\0", conversation: "c"))
    }
    #expect(failure?.status == 500 && failure?.message.contains("no finite number") == true)
    #expect(try scene.service.conversations.find("c", owner: "ada") == nil)
  }

  @Test("other plugins get so many answers at once, and a place is free again after each")
  func places() throws {
    let database = try TestDatabase()
    var settings = ChatSettings()
    settings.answersAtOnce = 2
    let service = ChatService(
      models: TestSource([:]),
      database: database.database,
      settings: settings
    )
    for _ in 0..<2 {
      let isBusy = try service.withPlace {
        #expect(throws: RunStopped.self) { try service.withPlace { throw RunStopped() } }
        return try service.withPlace {
          let refusal = #expect(throws: HostRefusal.self) { try service.withPlace { 0 } }
          return refusal == .busy
        }
      }
      #expect(isBusy)
    }
  }

  @Test("damaged or missing files are 500 with what is wrong with them")
  func damagedFiles() throws {
    let folder = TemporaryFolder()
    let database = try Database(path: folder.path + "/forge.sqlite", schema: .forge)
    let store = try ModelStore(database: database, directory: folder.path)
    let record = try store.store(TestModel.random(), ModelStoreTests.facts())
    let service = ChatService(models: store, database: database)
    let file = "models/\(record.id)/model.safetensors"
    let weights = folder.read(file)
    for (damage, reason) in [
      (Array(weights.dropLast()), "model.safetensors"), ([], "model.safetensors"),
      (nil, "required"),
    ] {
      if let damage { folder.write(file, damage) } else { unlink(folder.path + "/" + file) }
      let failure = #expect(throws: Failure.self) { try service.find(record.id, owner: "ada") }
      #expect(failure?.status == 500 && failure?.message.contains(reason) == true)
      #expect(failure?.message.contains(folder.path) == false)
    }
    // Once it is whole again, it answers.
    folder.write(file, weights)
    #expect(throws: Never.self) { try service.find(record.id, owner: "ada") }
  }

  static func read(_ text: String) throws -> ChatRequest {
    var fields = Fields(try JSON.parse(text))
    let request = ChatRequest(&fields)
    try fields.finish()
    return request
  }

  @Test("a request's bounds hold at their edges and one past")
  func bounds() throws {
    let message = String(repeating: "é", count: 5000)
    let read = try Self.read("{\"model_id\": \"m\", \"message\": \"\(message)\"}")
    #expect(read == ChatRequest(model: "m", message: message))
    let all = try Self.read(
      """
      {"model_id": "m", "message": "x", "conversation_id": "A-z_0:9.", "stream": true, "parameters": {"temperature": 2,
      "top_k": 1000, "top_p": 0, "max_tokens": 4096, "stop": ["a", "b", "c", "d"], "seed": 0, "repetition_penalty": 2}}
      """
    )
    #expect(all.isStreamed && all.options.maxTokens == 4096 && all.options.stop.count == 4)
    #expect(all.options.sampling.topK == 1000 && all.options.sampling.seed == 0)
    for (name, bad) in [
      ("message", #""message": "\#(message)x""#), ("message", #""message": """#),
      ("model_id", #""model_id": """#), ("conversation_id", #""conversation_id": "a/b""#),
      ("conversation_id", #""conversation_id": """#),
      ("conversation_id", #""conversation_id": ".""#),
      ("conversation_id", #""conversation_id": "..""#), ("stream", #""stream": 1"#),
      ("parameters.temperature", #""parameters": {"temperature": 2.01}"#),
      ("parameters.temperature", #""parameters": {"temperature": -0.01}"#),
      ("parameters.top_k", #""parameters": {"top_k": 1001}"#),
      ("parameters.top_k", #""parameters": {"top_k": -1}"#),
      ("parameters.top_p", #""parameters": {"top_p": 1.01}"#),
      ("parameters.max_tokens", #""parameters": {"max_tokens": 0}"#),
      ("parameters.max_tokens", #""parameters": {"max_tokens": 4097}"#),
      ("parameters.stop", #""parameters": {"stop": ["a","b","c","d","e"]}"#),
      ("parameters.stop[0]", #""parameters": {"stop": [""]}"#),
      ("parameters.seed", #""parameters": {"seed": -1}"#),
      ("parameters.repetition_penalty", #""parameters": {"repetition_penalty": 0.9}"#),
      ("parameters.nonsense", #""parameters": {"nonsense": 1}"#), ("nonsense", #""nonsense": 1"#),
    ] {
      var body = "{\(bad)"
      if !bad.contains("\"model_id\"") { body += #", "model_id": "m""# }
      if !bad.contains("\"message\"") { body += #", "message": "m""# }
      let failure = #expect(throws: Failure.self, "\(bad.prefix(60))") { try Self.read(body + "}") }
      #expect(failure?.details?.asArray?.first?["field"]?.asString == name)
    }
  }

  @Test("another plugin's call is answered for its subject alone")
  func calls() throws {
    let scene = try Scene()
    func call(_ text: String, _ subject: String = "ada") throws -> JSON {
      try GenerateCall.answer(try JSON.parse(text), subject: subject, scene.service)
    }
    let result = try call(#"{"model_id": "hi", "prompt": "Hello", "stop": ["!"], "seed": 1}"#)
    #expect(
      result["text"] == "Hi" && result["finish_reason"] == "stop" && result["truncated"] == false
    )
    let messages = #"[{"role": "system", "content": "S"}, {"role": "user", "content": "u"}]"#
    #expect(
      try call(#"{"model_id": "hi", "messages": \#(messages)}"#)["usage"]?["prompt_tokens"] == 7
    )
    #expect(
      try call(#"{"model_id": "hi", "prompt": "x"}"#, "bob")["error"]?["code"]
        == "RESOURCE_NOT_FOUND"
    )
    for bad in [
      #"{"model_id": "hi"}"#, #"{"model_id": "hi", "prompt": ""}"#, #"{"prompt": "x"}"#, "null",
      #"{"model_id": "hi", "prompt": "x", "messages": \#(messages)}"#,
      #"{"model_id": "hi", "messages": [{"role": "king", "content": "x"}]}"#,
    ] {
      #expect(try call(bad)["error"]?["code"] == "VALIDATION_ERROR", "\(bad)")
    }
  }

  @Test("every answer is counted")
  func counting() throws {
    let scene = try Scene()
    let count = Mutex(0)
    let service = ChatService(models: scene.source, database: scene.database.database) { made in
      count.withLock { $0 += made.completionTokens }
    }
    _ = try ChatTurn(ChatRequest(model: "hi", message: "x"), owner: "ada", service).answer(
      isCancelled: { false })
    #expect(count.withLock { $0 } == 4)
  }
}

@Suite("Requests in OpenAI's form")
struct OpenAIRequestTests {
  static func read(_ text: String) throws -> OpenAIRequest {
    try OpenAIRequest(try JSON.parse(text))
  }
  static let hello = #""model": "m", "messages": [{"role": "user", "content": "Hello"}]"#

  @Test("defaults are OpenAI's, and unknown members are passed over")
  func defaults() throws {
    let read = try Self.read(
      "{\(Self.hello), \"logit_bias\": {}, \"user\": \"x\", \"stop\": null, \"n\": null}"
    )
    #expect(read.model == "m" && read.turns == [Turn(.user, "Hello")] && !read.isStreamed)
    #expect(
      read.options.maxTokens == 4096 && read.options.sampling.temperature == 1
        && read.options.stop.isEmpty
    )
  }

  @Test("messages are text or parts of text, of every role")
  func messages() throws {
    let read = try Self.read(
      """
      {"model": "m", "messages": [{"role": "developer", "content": "d"}, {"role": "assistant", "content": null},
      {"role": "user", "name": "u", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]},
      {"role": "tool", "content": "t", "tool_call_id": "1"}]}
      """
    )
    #expect(
      read.turns == [
        Turn(.system, "d"), Turn(.assistant, ""), Turn(.user, "a\nb"), Turn(.tool, "t"),
      ]
    )
  }

  @Test("the newer name of max_tokens wins, stop may be one text, a seed negative")
  func spellings() throws {
    let read = try Self.read(
      """
      {\(Self.hello), "max_tokens": 3, "max_completion_tokens": 4, "stop": "x", "seed": -1, "n": 1, "stream": true,
      "stream_options": {"include_usage": true}}
      """
    )
    #expect(
      read.options.maxTokens == 4 && read.options.stop == ["x"]
        && read.options.sampling.seed == .max
    )
    #expect(read.isStreamed && read.includesUsage)
  }

  @Test(
    "what is wrong is named in OpenAI's shape",
    arguments: [
      (#"{"model": "m"}"#, "messages"), ("{\(hello), \"n\": 2}", "n"),
      ("{\(hello), \"stop\": [1]}", "stop[0]"),
      ("{\(hello), \"stop\": \"\"}", "stop"), ("{\(hello), \"temperature\": 2.1}", "temperature"),
      (
        #"{"model": "m", "messages": [{"role": "user", "content": [{"type": "image_url"}]}]}"#,
        "messages[0].content"
      ),
      (#"{"model": "m", "messages": []}"#, "messages"), ("[]", ""),
    ]
  )
  func refusals(body: String, field: String) {
    let failure = #expect(throws: Failure.self) { try Self.read(body) }
    let error = failure?.openAI()["error"]
    #expect(error?["param"]?.asString == field && error?["type"] == "invalid_request_error")
    #expect(error?["message"]?.asString?.isEmpty == false)
  }
}
