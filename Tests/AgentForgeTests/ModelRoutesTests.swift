import Glibc
import PluginStorage
import TestSupport
import Testing

@testable import AgentForge
@testable import GatewayPlugin

@Suite("The routes of models")
struct ModelRoutesTests {
  static let type = "application/x-tar"

  /// Sends an archive in pieces, as the host would.
  static func send(
    _ store: ModelStore,
    _ bytes: [UInt8],
    piece: Int = 1000,
    limit: Int = 1 << 20,
    name: String? = nil
  ) throws -> JSON {
    let head = ModelImport.Head(contentType: type, length: nil, owner: "eve", name: name)
    let sink = try ModelImport(head, store, limit: limit)
    do {
      for start in stride(from: 0, to: bytes.count, by: piece) {
        try sink.receive(Array(bytes[start..<min(bytes.count, start + piece)]).span)
      }
      let response = try sink.finish()
      #expect(response.status == 201)
      guard case .data(let json) = response.body else { throw Failure.badRequest("no data") }
      return json
    } catch {
      sink.abandoned()
      throw error
    }
  }

  static func archive(_ store: ModelStore, _ record: ModelRecord) throws -> [UInt8] {
    let export = try ModelExport(record, store)
    var bytes: [UInt8] = []
    try export.writeArchive { bytes += $0 }
    #expect(bytes.count == export.archiveBytes)
    return bytes
  }

  static func fields(_ failure: Failure?) -> [String] {
    failure?.details?.asArray?.compactMap { $0["field"]?.asString } ?? []
  }

  static func folders(_ folder: TemporaryFolder) throws -> Int {
    try Folder.names(folder.path + "/models").count
  }

  // MARK: - Export and import

  @Test("an exported model comes back as another owner's, with its history and its claims")
  func anExportedModelComesBack() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    var model = ModelStoreTests.model()
    model.systemPrompt = "Be kind."
    model.template = .dialogue
    model.extras["mixing"] = Floats(2)
    let record = try store.store(model, ModelStoreTests.facts())
    let bytes = try Self.archive(store, record)
    for piece in [1, 777, 1 << 20] {
      let json = try Self.send(store, bytes, piece: piece)
      let id = try #require(json["model_id"]?.asString)
      #expect(json["name"] == "m" && json["phase"] == "import" && json["user_id"] == "eve")
      #expect(json["phases_completed"] == ["cognate"])
      #expect(json["metrics"] == ["claimed": ["loss": 2.5]])
      let back = try #require(try store.load(id, owner: "eve"))
      #expect(back.parameters.values.array == model.parameters.values.array)
      #expect(back.systemPrompt == "Be kind." && back.template == .dialogue)
      #expect(back.extras.keys.sorted() == ["mixing"])
    }
    #expect(try Self.send(store, bytes, name: "mine")["name"] == "mine")
    #expect(try store.list(owner: "ada", limit: 1).total == 1)
  }

  @Test("a foreign Llama comes in without tokenizer.json when its vocabulary is bytes and specials")
  func aForeignLlamaComesIn() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    let record = try store.store(ModelStoreTests.model(), ModelStoreTests.facts())
    let files = try TarBuilder.files(Self.archive(store, record))
    let foreign = files.filter { ["config.json", "model.safetensors"].contains($0.name) }
    let json = try Self.send(store, TarBuilder.archive(foreign))
    #expect(json["name"] == "imported model" && json["metrics"] == [:])
    #expect(json["phases_completed"] == [])
    let larger = try store.store(
      ModelStoreTests.model(
        shape: ModelShape(vocabulary: 273, width: 16, layers: 1, heads: 2, hidden: 24, context: 32),
        tokenizer: try Tokenizer(merges: [Merge(97, 98)])
      ),
      ModelStoreTests.facts()
    )
    let without = try TarBuilder.files(Self.archive(store, larger)).filter {
      $0.name != "tokenizer.json"
    }
    let failure = #expect(throws: Failure.self) {
      try Self.send(store, TarBuilder.archive(without))
    }
    #expect(failure?.status == 422 && Self.fields(failure) == ["tokenizer.json"])
  }

  @Test("an archive that holds no model is refused with every reason, and leaves nothing")
  func whatIsNoModelIsRefused() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    let record = try store.store(ModelStoreTests.model(), ModelStoreTests.facts())
    let files = try TarBuilder.files(Self.archive(store, record))
    func content(_ name: String) -> [UInt8] { files.first { $0.name == name }?.content ?? [] }
    func with(_ name: String, _ content: [UInt8]) -> [UInt8] {
      TarBuilder.archive(files.map { $0.name == name ? (name, content) : $0 })
    }
    var nan = content("model.safetensors")
    nan.replaceSubrange(nan.count - 4..<nan.count, with: [0, 0, 0xC0, 0x7F])
    let config = String(decoding: content("config.json"), as: UTF8.self)
    let wide = Array(
      config.split(separator: "\"intermediate_size\":24").joined(
        separator: "\"intermediate_size\":32"
      ).utf8
    )
    for (bytes, expected) in [
      (Tar.end, ["config.json", "model.safetensors"]), ([], ["archive"]),
      (TarBuilder.archive([("../config.json", [])]), ["../config.json"]),
      (TarBuilder.archive([("./config.json", [])]), ["./config.json"]),
      (TarBuilder.archive([("config.json", []), ("config.json", [])]), ["config.json"]),
      (with("config.json", Array("{".utf8)), ["config.json"]),
      (with("config.json", Array("[]".utf8)), ["config.json"]),
      (
        with("config.json", Array("{\"vocab_size\":272,\"model_type\":\"gpt2\"}".utf8)),
        [
          "config.json.hidden_size", "config.json.num_hidden_layers",
          "config.json.num_attention_heads", "config.json.intermediate_size",
          "config.json.max_position_embeddings", "config.json.model_type",
          "config.json.tie_word_embeddings",
        ]
      ),
      (with("tokenizer.json", Array("{}".utf8)), ["tokenizer.json"]),
      (with("model.safetensors", Array(nan.dropLast())), ["model.safetensors"]),
      (with("model.safetensors", nan), ["model.safetensors"]),
      (with("config.json", wide), [String](repeating: "model.safetensors", count: 6)),
      (TarBuilder.archive(TarBuilder.link("config.json", "x")), ["archive"]),
      (TarBuilder.archive(TarBuilder.same("config.json", "x")), ["archive"]),
      (TarBuilder.archive(TarBuilder.folder("config.json")), ["archive"]),
      (TarBuilder.archive(TarBuilder.header("config.json", type: "6")), ["archive"]),
      (TarBuilder.archive(TarBuilder.header("config.json", prefix: "a")), ["a/config.json"]),
      (
        TarBuilder.archive(TarBuilder.pax("path", "a/b") + TarBuilder.file("config.json", "")),
        ["a/b"]
      ),
      (TarBuilder.archive(TarBuilder.long("../x") + TarBuilder.file("config.json", "")), ["../x"]),
      (Tar.header(name: "config.json", size: 70_000, seconds: 0), ["config.json"]),
    ] {
      let failure = #expect(throws: Failure.self, "\(expected)") { try Self.send(store, bytes) }
      #expect(failure?.status == 422)
      let found = Self.fields(failure)
      #expect(found.sorted() == expected.sorted(), "\(failure?.details?.text ?? "")")
    }
    #expect(try Self.folders(folder) == 1)
    #expect(try store.list(owner: "eve", limit: 1).total == 0)
  }

  @Test("an import cut off at any block leaves nothing")
  func aCutImportLeavesNothing() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    let record = try store.store(ModelStoreTests.model(), ModelStoreTests.facts())
    let bytes = try Self.archive(store, record)
    for count in stride(from: 0, to: bytes.count, by: 700) {
      #expect(throws: Failure.self) { try Self.send(store, Array(bytes[..<count])) }
      #expect(try Self.folders(folder) == 1)
    }
  }

  @Test("the size limit of an import holds at its edge, announced or not")
  func theSizeLimitHolds() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    let record = try store.store(ModelStoreTests.model(), ModelStoreTests.facts())
    let bytes = try Self.archive(store, record)
    #expect(throws: Never.self) { try Self.send(store, bytes, limit: bytes.count) }
    let failure = #expect(throws: Failure.self) {
      try Self.send(store, bytes, limit: bytes.count - 1)
    }
    #expect(failure?.status == 413)
    for (length, type, name, status) in [
      (UInt64(101), Self.type, nil, 413), (100, "text/plain", nil, 415), (100, "", nil, 415),
      (100, Self.type, "", 422), (100, Self.type, String(repeating: "x", count: 201), 422),
    ] as [(UInt64, String, String?, UInt16)] {
      let head = ModelImport.Head(contentType: type, length: length, owner: "eve", name: name)
      let failure = #expect(throws: Failure.self) { try ModelImport(head, store, limit: 100) }
      #expect(failure?.status == status)
    }
    let huge = ModelImport.Head(contentType: Self.type, length: 1 << 60, owner: "e", name: nil)
    let full = #expect(throws: Failure.self) { try ModelImport(huge, store, limit: 1 << 61) }
    #expect(full?.status == 507 && full?.code == "STORAGE_FULL")
  }

  @Test("a packed model may not grow beyond the limit in memory")
  func aPackedModelIsBounded() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    var shape = TernaryTests.shape
    (shape.width, shape.hidden, shape.layers) = (32, 128, 4)
    let record = try store.store(TernaryTests.model(shape), ModelStoreTests.facts())
    let bytes = try Self.archive(store, record)
    let memory = shape.parameterCount * 4
    #expect(memory > bytes.count)
    let failure = #expect(throws: Failure.self) {
      try Self.send(store, bytes, limit: memory - 1)
    }
    #expect(failure?.status == 422 && Self.fields(failure) == ["config.json"])
    #expect(throws: Never.self) { try Self.send(store, bytes, limit: memory) }
  }

  // MARK: - Lists

  static func listing(_ json: JSON) throws -> ModelListing {
    var fields = Fields(json)
    let listing = ModelListing(&fields, owner: "ada")
    try fields.finish()
    return listing
  }

  @Test("a list's bounds and names hold at their edges")
  func aListsBounds() throws {
    let usual = try Self.listing([:])
    #expect(usual.limit == 10 && usual.offset == 0 && usual.status == .all && usual.phase == nil)
    #expect(try Self.listing(["limit": 50, "phase": "quiet-star"]).phase == "quietstar")
    #expect(try Self.listing(["limit": 1, "phase": "import"]).phase == "import")
    let failure = #expect(throws: Failure.self) {
      try Self.listing(["limit": 51, "offset": -1, "status": "done", "phase": "x", "colour": 1])
    }
    #expect(Set(Self.fields(failure)) == ["limit", "offset", "status", "phase", "colour"])
    #expect(throws: Failure.self) { try Self.listing(["limit": 0]) }
  }

  @Test("runs come before models, and both are filtered and counted")
  func runsComeBeforeModels() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    for index in 0..<3 {
      _ = try store.store(ModelStoreTests.model(), ModelStoreTests.facts("m\(index)"))
    }
    let runs: ModelListing.Runs = { owner in
      owner != "ada"
        ? []
        : [
          ["name": "r0", "status": "training", "phase": "cognate"],
          ["name": "r1", "status": "failed", "phase": "bitnet"],
        ]
    }
    func names(_ query: JSON) throws -> ([String], Int64?) {
      let page = try Self.listing(query).page(store, runs)
      return (
        page["models"]?.asArray?.compactMap { $0["name"]?.asString } ?? [],
        page["total_count"]?.asInteger
      )
    }
    #expect(try names([:]) == (["r0", "r1", "m2", "m1", "m0"], 5))
    #expect(try names(["limit": 2, "offset": 1]) == (["r1", "m2"], 5))
    #expect(try names(["limit": 2, "offset": 4]) == (["m0"], 5))
    #expect(try names(["limit": 2, "offset": 9]) == ([], 5))
    #expect(try names(["limit": 1]) == (["r0"], 5))
    #expect(try names(["status": "completed"]) == (["m2", "m1", "m0"], 3))
    #expect(try names(["status": "training"]) == (["r0"], 1))
    #expect(try names(["status": "failed"]) == (["r1"], 1))
    #expect(try names(["phase": "bitnet"]) == (["r1"], 1))
    #expect(try names(["phase": "cognate"]) == (["r0", "m2", "m1", "m0"], 4))
  }

  @Test("a model's answer has the original's fields, its files and its lineage as far as it exists")
  func aModelsAnswer() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    let first = try store.store(ModelStoreTests.model(), ModelStoreTests.facts("first"))
    let gone = try store.store(ModelStoreTests.model(), ModelStoreTests.facts("gone"))
    let middle = try store.store(
      ModelStoreTests.model(),
      ModelStoreTests.facts("middle", parents: [first.id, gone.id])
    )
    #expect(try store.delete(gone.id, owner: "ada"))
    let last = try store.store(
      ModelStoreTests.model(),
      ModelStoreTests.facts("last", parents: [middle.id])
    )
    let json = try last.details(store)
    for name in [
      "model_id", "name", "status", "phases_completed", "created_at", "completed_at", "metrics",
      "download_url", "config",
    ] {
      #expect(json[name] != nil, "\(name)")
    }
    #expect(json["parameters"]?.asInteger == Int64(ModelStoreTests.shape.parameterCount))
    let files = json["files"]?.asArray ?? []
    #expect(files.count == 4)
    #expect(
      files.compactMap { $0["size_bytes"]?.asInteger }.reduce(0, +) == json["size_bytes"]?.asInteger
    )
    let parent = try #require(json["lineage"]?["parents"]?.asArray?.first)
    #expect(parent["name"] == "middle")
    let grandparents = parent["parents"]?.asArray ?? []
    #expect(grandparents.first?["name"] == "first" && grandparents.first?["exists"] == true)
    #expect(grandparents.last == ["model_id": .string(gone.id), "exists": false])
  }

  @Test("a lineage that doubles with every generation is cut")
  func aLargeLineageIsCut() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    var last = try store.store(ModelStoreTests.model(), ModelStoreTests.facts())
    for _ in 0..<18 {
      let parents = [last.id, last.id]
      last = try store.store(ModelStoreTests.model(), ModelStoreTests.facts(parents: parents))
    }
    let text = try last.details(store).text
    #expect(text.utf8.count < 30_000)
    #expect(text.contains("\"truncated\":true"))
  }

  @Test("a model deleted while it is exported is sent whole; before that it is 404")
  func aDeletedModelIsSentWhole() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    let record = try store.store(ModelStoreTests.model(), ModelStoreTests.facts())
    let export = try ModelExport(record, store)
    #expect(try store.delete(record.id, owner: "ada"))
    var bytes: [UInt8] = []
    try export.writeArchive { bytes += $0 }
    #expect(try TarBuilder.files(bytes).count == 4)
    let failure = #expect(throws: Failure.self) { try ModelExport(record, store) }
    #expect(failure?.status == 404 && failure?.code == "RESOURCE_NOT_FOUND")
  }

  @Test("a file of the most bytes an archive can say is exported, one of a byte more is not")
  func theLargestFile() throws {
    let folder = TemporaryFolder()
    let store = try ModelStoreTests.store(folder)
    let record = try store.store(ModelStoreTests.model(), ModelStoreTests.facts())
    let path = store.folder(record.id).path(of: .weights)
    truncate(path, Tar.maxFileBytes)
    #expect(throws: Never.self) { try ModelExport(record, store).archive(isHead: false) }
    truncate(path, Tar.maxFileBytes + 1)
    let failure = #expect(throws: Failure.self) {
      try ModelExport(record, store).archive(isHead: false)
    }
    #expect(failure?.status == 409)
  }
}
