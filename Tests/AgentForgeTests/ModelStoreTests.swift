import GatewayPlugin
import Glibc
import PluginStorage
import Testing

@testable import AgentForge

@Suite("The model store")
struct ModelStoreTests {
  static let shape = ModelShape(
    vocabulary: 272,
    width: 16,
    layers: 2,
    heads: 2,
    hidden: 24,
    context: 32
  )

  /// A small model with random numbers.
  static func model(
    seed: UInt64 = 1,
    shape: ModelShape = shape,
    tokenizer: Tokenizer = .bytes
  ) -> LanguageModel {
    let parameters = Parameters(shape)
    var generator = Generator(seed: seed)
    parameters.initialize(&generator)
    return LanguageModel(parameters: parameters, tokenizer: tokenizer, template: .plain)
  }

  static func facts(_ name: String = "m", owner: String = "ada", parents: [String] = [])
    -> ModelFacts
  {
    ModelFacts(
      name: name,
      owner: owner,
      phase: parents.isEmpty ? "cognate" : "evomerge",
      run: "run-1",
      parents: parents,
      metrics: ["loss": 2.5],
      dataFingerprint: "abc"
    )
  }

  static func store(_ folder: TemporaryFolder) throws -> ModelStore {
    let database = try Database(path: folder.path + "/forge.sqlite", schema: .forge)
    return try ModelStore(database: database, directory: folder.path)
  }

  /// Files of the store without the database.
  static func contents(_ folder: TemporaryFolder) -> [String] {
    folder.files.filter { $0.hasPrefix("models/") }
  }

  @Test("a model comes back bit for bit, also after the store was opened again")
  func aModelComesBack() throws {
    let folder = TemporaryFolder()
    var shape = Self.shape
    shape.halts = true
    shape.ropeBase = 500
    shape.vocabulary = 274
    let tokenizer = try Tokenizer(merges: [Merge(97, 98), Merge(272, 99)])
    var model = Self.model(shape: shape, tokenizer: tokenizer)
    model.template = .dialogue
    model.systemPrompt = "You are \"kind\".\n"
    let extra = Floats(3)
    extra.set([1, -2.5, 0])
    model.extras = ["mixing": extra, "a b": Floats(1)]
    let record = try Self.store(folder).store(model, Self.facts())
    let store = try Self.store(folder)
    #expect(try store.record(record.id, owner: "ada") == record)
    let account = MemoryAccount()
    let back = try #require(try store.load(record.id, owner: "ada", account))
    #expect(account.current >= shape.parameterCount * 4)
    #expect(back.shape == shape)
    #expect(back.parameters.values.array == model.parameters.values.array)
    #expect(back.tokenizer == tokenizer)
    #expect(back.template == .dialogue && back.form == .dense && back.payload.isEmpty)
    #expect(back.systemPrompt == model.systemPrompt)
    #expect(back.extras.mapValues(\.array) == ["mixing": [1, -2.5, 0], "a b": [0]])
    #expect(record.phasesCompleted == ["cognate"])
    let bytes = Self.contents(folder).reduce(0) { $0 + folder.read($1).count }
    #expect(record.bytes == bytes && bytes > shape.parameterCount * 4)
  }

  @Test("nobody sees, loads or deletes the model of another")
  func modelsBelongToTheirOwner() throws {
    let folder = TemporaryFolder()
    let store = try Self.store(folder)
    let record = try store.store(Self.model(), Self.facts())
    for (id, owner) in [
      (record.id, "eve"), (record.id, ""), ("../" + record.id, "ada"), ("", "ada"),
      (UUID4.make(), "ada"),
    ] {
      #expect(try store.record(id, owner: owner) == nil)
      #expect(try store.load(id, owner: owner) == nil)
      #expect(try store.delete(id, owner: owner) == false)
    }
    #expect(try store.list(owner: "eve", limit: 10).total == 0)
    #expect(try store.load(record.id, owner: "ada") != nil)
  }

  @Test("a deleted model leaves nothing")
  func aDeletedModelLeavesNothing() throws {
    let folder = TemporaryFolder()
    let store = try Self.store(folder)
    let record = try store.store(Self.model(), Self.facts())
    #expect(Self.contents(folder).count == 4)
    #expect(try store.delete(record.id, owner: "ada"))
    #expect(try store.delete(record.id, owner: "ada") == false)
    #expect(try store.load(record.id, owner: "ada") == nil)
    #expect(try Folder.names(folder.path + "/models").isEmpty)
  }

  @Test("pages are the newest first, of one phase or all")
  func pages() throws {
    let folder = TemporaryFolder()
    let store = try Self.store(folder)
    var ids: [String] = []
    for index in 0..<5 {
      let parents = index == 3 ? [ids[0], ids[1], UUID4.make()] : []
      ids.insert(try store.store(Self.model(), Self.facts("m\(index)", parents: parents)).id, at: 0)
    }
    _ = try store.store(Self.model(), Self.facts(owner: "eve"))
    let all = try store.list(owner: "ada", limit: 10)
    #expect(all.records.map(\.id) == ids && all.total == 5)
    let page = try store.list(owner: "ada", limit: 2, offset: 1)
    #expect(page.records.map(\.id) == Array(ids[1...2]) && page.total == 5)
    #expect(try store.list(owner: "ada", limit: 2, offset: 5).records.isEmpty)
    let merged = try store.list(owner: "ada", phase: "evomerge", limit: 10)
    #expect(merged.records.map(\.name) == ["m3"] && merged.total == 1)
    // A parent that is gone stays named; the phases of those that are there go before its own.
    #expect(merged.records.first?.parents.count == 3)
    #expect(merged.records.first?.phasesCompleted == ["cognate", "evomerge"])
  }

  @Test("a run stores one model of each name, however often it is asked")
  func modelsOfARunAreStoredOnce() throws {
    let folder = TemporaryFolder()
    let store = try Self.store(folder)
    let first = try store.storeOnce(Self.model(), Self.facts("a"))
    #expect(try store.storeOnce(Self.model(seed: 2), Self.facts("a")) == first)
    let second = try store.storeOnce(Self.model(), Self.facts("b"))
    #expect(try store.list(owner: "ada", limit: 10).records.map(\.id) == [second.id, first.id])
    // What its owner has deleted is made again.
    #expect(try store.delete(first.id, owner: "ada"))
    #expect(try store.storeOnce(Self.model(), Self.facts("a")).id != first.id)
    #expect(Self.contents(folder).count == 8)
    // An import belongs to no run.
    var facts = Self.facts("a")
    facts.run = ""
    #expect(try store.storeOnce(Self.model(), facts) != store.storeOnce(Self.model(), facts))
  }

  @Test("what a crash left is removed, what is being written is not")
  func leftoversAreRemoved() throws {
    let folder = TemporaryFolder()
    let kept = try Self.store(folder).store(Self.model(), Self.facts())
    let (orphan, partial, held) = (UUID4.make(), UUID4.make() + ".partial", UUID4.make())
    for name in [orphan, partial, held, "stranger"] {
      mkdir(folder.path + "/models/" + name, 0o700)
      folder.write("models/\(name)/config.json", [1])
    }
    let lock = try OpenFile(path: folder.path + "/models/" + held, flags: O_RDONLY | O_DIRECTORY)
    let isLocked = lock.lockIfFree()
    #expect(isLocked)
    let store = try Self.store(folder)
    #expect(Set(try Folder.names(folder.path + "/models")) == [kept.id, held, "stranger"])
    #expect(store.missing.isEmpty)
    #expect(try store.load(kept.id, owner: "ada") != nil)
  }

  @Test("a model whose folder is gone is reported, and cannot be loaded")
  func missingFoldersAreReported() throws {
    let folder = TemporaryFolder()
    let record = try Self.store(folder).store(Self.model(), Self.facts())
    try Folder.remove(folder.path + "/models/" + record.id)
    let store = try Self.store(folder)
    #expect(store.missing == [record.id])
    #expect(throws: ModelFault.self) { try store.load(record.id, owner: "ada") }
    #expect(try store.delete(record.id, owner: "ada"))
  }

  @Test("a form that cannot be read again is not stored")
  func unknownFormsAreRefused() throws {
    let folder = TemporaryFolder()
    let store = try Self.store(folder)
    for form in [LanguageModel.Form.ternary, .compressed] {
      var model = Self.model()
      model.form = form
      model.payload = [1, 2, 3]
      #expect(throws: ModelFault.self) { try store.store(model, Self.facts()) }
    }
    #expect(try Folder.names(folder.path + "/models").isEmpty)
    #expect(try store.list(owner: "ada", limit: 1).total == 0)
  }
}
