import Glibc
import PluginStorage
import Synchronization

@testable import AgentForge
@testable import GatewayPlugin

/// Models for tests of answers.
enum TestModel {
  /// Small, with numbers everywhere.
  static func random(
    context: Int = 24,
    template: LanguageModel.Template = .dialogue,
    seed: UInt64 = 5,
    change: (inout ModelShape) -> Void = { _ in }
  ) -> LanguageModel {
    var shape = ModelShape(
      vocabulary: Special.end,
      width: 16,
      layers: 3,
      heads: 2,
      hidden: 20,
      context: context
    )
    change(&shape)
    let parameters = Parameters(shape)
    var generator = Generator(seed: seed)
    for index in 0..<parameters.layout.count {
      parameters.values[index] = Float(generator.normal() * 0.3)
    }
    if let unit = parameters.layout.halting { parameters.values[unit + shape.width] = -0.5 }
    return LanguageModel(parameters: parameters, tokenizer: .bytes, template: template)
  }

  /// Says `script` after its first token, whatever stood before, and then its last token for ever.
  ///
  /// A script has at most 31 tokens, none of them twice. The blocks add nothing, so that a state is the embedding of its
  /// token; embedding k is 8 · 3ᵏ (u(k) + u(k + 1)), with u orthogonal, which lies nearer to embedding k + 1 than to any
  /// other, itself included. The 8 keeps a sampler of any seed in the script: at temperature 1 the next token has a
  /// logit of 96 or more, 32 or more above any other's.
  static func saying(
    _ script: [Int32],
    template: LanguageModel.Template = .dialogue,
    context: Int = 128
  ) -> LanguageModel {
    precondition(script.count <= 31 && Set(script).count == script.count)
    let shape = ModelShape(
      vocabulary: Special.end,
      width: 32,
      layers: 1,
      heads: 2,
      hidden: 8,
      context: context
    )
    let parameters = Parameters(shape)
    for tensor in parameters.layout.tensors where tensor.role == .vector {
      for index in tensor.range { parameters.values[index] = 1 }
    }
    for (place, token) in script.enumerated() {
      let size = 8 * Float(pow(3, Double(place)))
      parameters.values[Int(token) * 32 + place] = size
      parameters.values[Int(token) * 32 + place + 1] = size
    }
    return LanguageModel(parameters: parameters, tokenizer: .bytes, template: template)
  }

  /// Answers any dialogue with `text`, whose bytes are all different, and ends.
  static func answering(_ text: String) -> LanguageModel {
    saying([Special.assistant.id] + text.utf8.map { Int32($0) } + [Special.endOfTurn.id])
  }
}

/// Models by owner and id, and how often each was read.
final class TestSource: ModelSource {
  struct Missing: Error {}

  private let models: [String: LanguageModel]
  private let reads = Mutex<[String: Int]>([:])
  private let hidden = Mutex<Set<String>>([])
  /// Called while a model is being read.
  let onLoad: @Sendable (String) throws -> Void

  /// The models stand by `owner/id`.
  init(
    _ models: [String: LanguageModel],
    onLoad: @escaping @Sendable (String) throws -> Void = { _ in }
  ) {
    self.models = models
    self.onLoad = onLoad
  }

  func readCount(_ key: String) -> Int { reads.withLock { $0[key] ?? 0 } }

  func delete(_ key: String) { hidden.withLock { _ = $0.insert(key) } }

  private func find(_ id: String, _ owner: String) -> LanguageModel? {
    let key = "\(owner)/\(id)"
    return hidden.withLock { $0.contains(key) } ? nil : models[key]
  }

  func load(_ id: String, owner: String) throws -> LanguageModel? {
    guard let model = find(id, owner) else { return nil }
    reads.withLock { $0["\(owner)/\(id)", default: 0] += 1 }
    try onLoad(id)
    return model
  }

  func record(_ id: String, owner: String) throws -> ModelRecord? {
    guard let model = find(id, owner) else { return nil }
    return ModelRecord(
      id: id,
      name: id,
      owner: owner,
      phase: "import",
      run: "",
      parents: [],
      phasesCompleted: [],
      shape: model.shape,
      template: model.template,
      form: model.form,
      metrics: [:],
      dataFingerprint: "",
      bytes: 1,
      createdAt: 1_700_000_000_000_000_000
    )
  }

  func records(owner: String, limit: Int) throws -> [ModelRecord] {
    let ids = models.keys.filter { $0.hasPrefix(owner + "/") }.map {
      String($0.dropFirst(owner.count + 1))
    }
    return try ids.sorted().prefix(limit).compactMap { try record($0, owner: owner) }
  }
}

/// A database in a folder of its own, removed with it.
final class TestDatabase {
  let folder: String
  let database: Database

  init() throws {
    var template = Array("/tmp/forge-chat-XXXXXX".utf8CString)
    folder = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp/forge-chat-missing"
    database = try Database(path: folder + "/forge.sqlite", schema: .forge, readers: 1)
  }

  deinit {
    for name in ["forge.sqlite", "forge.sqlite-wal", "forge.sqlite-shm"] {
      unlink(folder + "/" + name)
    }
    rmdir(folder)
  }
}
