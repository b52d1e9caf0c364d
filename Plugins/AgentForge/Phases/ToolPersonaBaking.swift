package import GatewayPlugin
import PluginStorage

/// Phase 6: a model learns to call declared tools and to be a persona, from dialogues that are made of both.
///
/// Only what the assistant says is learnt in them; text it knew is replayed among them. Before and after, questions it
/// never saw are really put to it, and its loss on other text is measured.
package struct ToolPersonaBaking: Phase {
  package static let name = PhaseName.toolPersonaBaking
  package static let inputs = 1...1

  private let order: PhaseOrder
  private let tools: [Tool]
  private let persona: Persona
  private let dialogues: Int
  private let questions: Int
  private let personaShare: Double
  private let replayShare: Double
  private let usesSystemPrompt: Bool
  private let patience: Int?
  private let fraction: Double
  private var settings: TrainSettings

  /// Reads `tools`, `persona`, `dialogues`, `evaluation`, `persona_share`, `replay`, `system_prompt`, `early_stop`,
  /// `validation_fraction`, and what every training reads.
  ///
  /// - Parameters:
  ///   - order: What all phases are told.
  ///   - fields: The request's `parameters`.
  package init(_ order: PhaseOrder, _ fields: inout Fields) {
    self.order = order
    let given = fields.json("tools") == nil ? nil : fields.objects("tools", 1...8) { Tool(&$0) }
    tools = given.map { $0.isEmpty ? Tool.usual : $0 } ?? Tool.usual
    if Set(tools.map(\.name)).count != tools.count {
      fields.refuse("tools", "must have names of which no two are the same")
    }
    persona = fields.optionalObject("persona") { Persona(&$0) } ?? .usual
    dialogues = fields.integer("dialogues", 16...20_000, default: 2000)
    questions = fields.integer("evaluation", 1...500, default: 64)
    personaShare = fields.number("persona_share", 0...0.9, default: 0.25)
    replayShare = fields.number("replay", 0...0.9, default: 0.25)
    usesSystemPrompt = fields.bool("system_prompt", default: false)
    patience = fields.optionalInteger("early_stop", 1...1000)
    fraction = fields.number("validation_fraction", 0.001...0.5, default: 0.05)
    settings = TrainSettings(
      steps: order.maxSteps,
      batchSize: order.batchSize,
      length: 8,
      shards: 1
    )
    settings.rate = 1e-3
    settings.read(&fields)
  }

  /// Persona and tools in words.
  private var systemPrompt: String {
    guard usesSystemPrompt else { return "" }
    let character = persona.character.map { " \($0)" } ?? ""
    return "\(persona.introduction)\(character)\n" + tools.map(\.line).joined(separator: "\n")
  }

  /// All that is learnt and asked.
  private struct Material {
    let exam: BakingExam
    let training: [MarkedTokens]
    let validation: [Batch]
    /// Tokens of a row: the model's context, or more where a dialogue needs it.
    let length: Int
    let fingerprint: String
  }

  private func material(_ model: LanguageModel) throws(RunFailure) -> Material {
    let lessons = Lessons(model.tokenizer, systemPrompt: systemPrompt)
    var source = ToolDialogues(tools, seed: order.seed, isHeldOut: false)
    let shown = (0..<dialogues).map { _ in source.next() }
    let known = Set(shown.map(\.question))
    source = ToolDialogues(tools, seed: order.seed, isHeldOut: true)
    let held = (0..<questions).map { _ in source.next() }.filter { !known.contains($0.question) }
    let said = PersonaQuestion.all(persona, tools, isHeldOut: false)
    let asked = PersonaQuestion.all(persona, tools, isHeldOut: true)
    // As many copies of the few persona questions as make their share.
    let share = Double(dialogues) * personaShare / (1 - personaShare)
    let copies = Int((share / Double(said.count)).rounded())
    let personaLessons = said.map(lessons.marked)
    let training =
      shown.map(lessons.marked) + (0..<copies).flatMap { _ in personaLessons }
    let tests = held.map(lessons.marked) + asked.map(lessons.marked)
    let longest = (training + tests).map(\.tokens.count).max() ?? 0
    let length = max(model.shape.context, (longest + 15) / 16 * 16)
    guard length <= 4096 else {
      throw RunFailure(
        "The longest dialogue has \(longest) tokens and a model reads at most 4096: declare fewer "
          + "tools, or shorter descriptions and values."
      )
    }
    let texts = shown.map {
      Document.dialogue([Turn(.user, $0.question), Turn(.assistant, $0.answer)])
    }
    return Material(
      exam: BakingExam(held, asked, lessons, model.tokenizer),
      training: training,
      validation: stride(from: 0, to: tests.count, by: 16).map {
        Batch(Array(tests[$0..<min($0 + 16, tests.count)]), length: length)
      },
      length: length,
      fingerprint: Dataset.fingerprint(of: texts)
    )
  }

  private func settings(_ context: any PhaseContext, _ material: Material) -> TrainSettings {
    var settings = settings
    settings.length = material.length
    settings.shards = min(context.shards, order.batchSize)
    return settings
  }

  private func shape(_ model: LanguageModel, _ material: Material) -> ModelShape {
    var shape = model.shape
    shape.context = material.length
    return shape
  }

  /// Measures a step.
  package func plan(_ context: any PhaseContext) throws -> PhasePlan {
    let (_, model) = try context.denseModel(for: Self.name)
    let material = try material(model)
    let settings = settings(context, material)
    let shape = shape(model, material)
    let copies = patience == nil ? 1 : 2
    let memory =
      Trainer.bytes(shape, settings) + copies * shape.parameterCount * MemoryLayout<Float>.stride
    let seconds =
      memory > context.memoryLimit ? 0 : try Probe.secondsPerStep(shape, settings, context.parallel)
    return PhasePlan(
      parameterCount: shape.parameterCount,
      memoryBytes: memory,
      steps: order.maxSteps,
      seconds: seconds * Double(order.maxSteps),
      details: [
        "config": shape.json, "dialogues": .integer(Int64(material.training.count)),
        "questions": .integer(
          Int64(material.exam.dialogues.count + material.exam.questions.count)
        ),
        "data_fingerprint": .string(material.fingerprint), "seconds_per_step": .number(seconds),
      ]
    )
  }

  /// Measures, trains, measures again, stores.
  package func run(_ context: any PhaseContext) throws -> JSON {
    let (id, parent) = try context.denseModel(for: Self.name)
    let material = try material(parent)
    let settings = settings(context, material)
    let parameters = Parameters(shape(parent, material), context.account)
    parameters.values.copy(from: parent.parameters.values)
    let trainer = Trainer(parameters, settings, context.parallel, context.account)
    let text = try TrainingData(context, seed: order.seed)
    // Text is measured in windows that the parent could read too.
    var short = settings
    short.length = parent.shape.context
    let (replay, general) = try text.tokens(
      parent.tokenizer,
      fraction: fraction,
      short
    )
    var loop = TrainingLoop(
      trainer,
      LessonRows(
        material.training,
        fingerprint: material.fingerprint,
        replay: RandomWindows(replay, seed: order.seed),
        replayShare: replayShare,
        seed: order.seed
      ),
      validation: material.validation,
      patience: patience,
      context.account
    )
    let saved = try context.checkpoint()
    let before = try saved?.state["before"] ?? measure(trainer, material, general, context)
    if let saved, let state = saved.state["loop"] { try loop.restore(state, saved) }
    context.log(
      "Baking \(tools.count) tools and \(persona.name) into \(id), from step \(trainer.step): "
        + "\(material.training.count) dialogues of at most \(material.length) tokens."
    )
    let wrap: (JSON) -> JSON = { ["before": before, "loop": $0] }
    try loop.run(context, wrap: wrap)
    let after: JSON
    do { after = try measure(trainer, material, general, context) } catch let stop as RunStopped {
      try loop.save(context, wrap)
      throw stop
    }
    return try store(id, parent, parameters, material, before, after, loop, context)
  }

  private func measure(
    _ trainer: Trainer,
    _ material: Material,
    _ general: [Batch],
    _ context: any PhaseContext
  ) throws -> JSON {
    let model = LanguageModel(
      parameters: trainer.parameters,
      tokenizer: material.exam.tokenizer,
      template: .dialogue
    )
    let measured = try material.exam.measure(
      DecodedAnswers(model),
      context.parallel,
      checkStop: context.checkStop
    )
    let own: [JSON.Member] = [
      .init(name: "dialogue_loss", value: .number(try trainer.validate(material.validation))),
      .init(name: "text_loss", value: .number(try trainer.validate(general))),
    ]
    return .object(own + (measured.json.asMembers ?? []))
  }

  private func store(
    _ id: String,
    _ parent: LanguageModel,
    _ parameters: Parameters,
    _ material: Material,
    _ before: JSON,
    _ after: JSON,
    _ loop: TrainingLoop,
    _ context: any PhaseContext
  ) throws -> JSON {
    var model = parent
    model.parameters = parameters
    model.template = .dialogue
    if usesSystemPrompt { model.systemPrompt = systemPrompt }
    let facts: [JSON.Member] = [
      .init(name: "steps", value: .integer(Int64(loop.trainer.step))),
      .init(name: "before", value: before),
      .init(name: "after", value: after),
      .init(name: "validation_loss", value: after["text_loss"] ?? .null),
      .init(name: "best_step", value: loop.best.map { .integer(Int64($0.step)) } ?? .null),
    ]
    let stored = try context.store(
      model,
      name: order.modelName,
      parents: [id],
      metrics: .object(facts),
      dataFingerprint: material.fingerprint
    )
    context.log("Stored \(order.modelName) as \(stored).")
    return .object(
      [
        .init(
          name: "models",
          value: [.object([.init(name: "model_id", value: .string(stored))] + facts)]
        ),
        .init(name: "tools", value: .array(tools.map { .string($0.line) })),
        .init(name: "persona", value: .string(persona.name)),
        .init(name: "system_prompt", value: .string(systemPrompt)),
        .init(name: "context", value: .integer(Int64(material.length))),
        .init(name: "dialogues", value: .integer(Int64(material.training.count))),
        .init(name: "tool_questions", value: .integer(Int64(material.exam.dialogues.count))),
        .init(name: "persona_questions", value: .integer(Int64(material.exam.questions.count))),
        .init(name: "data_fingerprint", value: .string(material.fingerprint)),
      ]
    )
  }
}
