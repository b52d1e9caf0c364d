package import GatewayPlugin
import Glibc

/// Measures merges: on one part of what is held out for the search, on another for the final account.
package struct MergeMeasure: Sendable {
  /// What is measured, and what it counts.
  package struct Settings: Sendable, Equatable {
    package var seed: UInt64
    /// Fitness is `taskWeight * task score - lossWeight * loss`.
    package var lossWeight: Double
    package var taskWeight: Double
    /// Tasks of each part.
    package var tasks: Int
    package var difficulty: Int
    package var fraction: Double

    /// Reads `loss_weight`, `task_weight`, `tasks`, `task_difficulty` and `validation_fraction`.
    package init(_ fields: inout Fields, seed: UInt64) {
      self.seed = seed
      lossWeight = fields.number("loss_weight", 0...100, default: 1)
      taskWeight = fields.number("task_weight", 0...100, default: 1)
      tasks = fields.integer("tasks", 0...512, default: 64)
      difficulty = fields.integer("task_difficulty", TaskFamilies.difficulties, default: 1)
      fraction = fields.number("validation_fraction", 0.001...0.5, default: 0.05)
      if lossWeight == 0, taskWeight == 0 || tasks == 0 {
        fields.refuse("loss_weight", "must be above 0 when tasks count for nothing")
      }
    }
  }

  /// One part.
  package struct Part: Sendable {
    let text: [Batch]
    let tasks: [Batch]
    /// Tokens read for one measure.
    var tokens: Int { (text + tasks).reduce(0) { $0 + $1.tokens.count } }
  }

  /// What the search may see.
  package let selection: Part
  /// What it may not.
  package let final: Part

  private let settings: Settings
  private let transformer: Transformer
  private let spaces: [Workspace]

  /// Splits what `data` holds out: every second window is for the search.
  ///
  /// - Parameters:
  ///   - model: Its tokenizer and template write text and tasks.
  ///   - data: Whose held-out part is measured on.
  ///   - settings: What is measured.
  ///   - context: Of the run.
  /// - Throws: `RunFailure` when less than two windows are held out, `DataError`.
  package init(
    _ model: LanguageModel,
    _ data: TrainingData,
    _ settings: Settings,
    _ context: any PhaseContext
  ) throws {
    self.settings = settings
    let shape = model.shape
    let training = TrainSettings(
      steps: 1,
      // As many windows as there may be: the search must not choose by chance.
      batchSize: 16,
      length: shape.context,
      shards: context.shards
    )
    let (_, validation) = try data.tokens(
      model.tokenizer,
      fraction: settings.fraction,
      training
    )
    let windows = validation.flatMap { batch in (0..<batch.rows).map { batch.rows($0..<$0 + 1) } }
    guard windows.count >= 2 else {
      throw RunFailure(
        "Only \(windows.count) window of \(shape.context) tokens is held out, and two are needed, "
          + "one to search by and one to judge by: give more text or a larger validation_fraction."
      )
    }
    var generator = Generator(seed: settings.seed, stream: 0x5441_534B_53)
    let all = TaskSet(2 * settings.tasks, difficulty: settings.difficulty, &generator).tasks
    let searched = Set(all.prefix(settings.tasks))
    let tasks = [
      all.prefix(settings.tasks).map(\.self),
      all.dropFirst(settings.tasks).filter { !searched.contains($0) },
    ]
    let parts = (0...1).map { part in
      Part(
        text: windows.enumerated().filter { $0.offset % 2 == part }.map(\.element),
        tasks: TaskSet(tasks[part]).batches(model, rows: Self.rows, length: shape.context)
      )
    }
    (selection, final) = (parts[0], parts[1])
    transformer = Transformer(shape)
    spaces = (0..<context.shards).map { _ in
      Workspace(shape, rows: Self.rows, length: shape.context, context.account)
    }
  }

  /// Rows that one workspace has.
  private static let rows = 4

  /// Bytes that it holds.
  package static func bytes(_ shape: ModelShape, _ settings: Settings, _ shards: Int) -> Int {
    shards * Workspace.bytes(shape, rows: rows, length: shape.context)
  }

  /// Measures one model.
  ///
  /// - Parameters:
  ///   - parameters: Of the shape.
  ///   - part: What is measured on.
  ///   - context: Of the run.
  /// - Returns: Loss on the text; as task score the likelihood of a token of the right answers, the geometric mean over
  ///   all of them; and both together.
  /// - Throws: What the threads throw.
  package func fitness(
    of parameters: Parameters,
    on part: Part,
    _ context: any PhaseContext
  ) throws -> Evolution.Fitness {
    func loss(_ batches: [Batch]) throws -> Double {
      try Evaluation.loss(of: parameters, transformer, batches, spaces, context.parallel)
    }
    let text = try loss(part.text)
    let score = part.tasks.isEmpty ? 0 : exp(-(try loss(part.tasks)))
    let value = settings.taskWeight * score - settings.lossWeight * text
    return Evolution.Fitness(
      loss: text.isFinite ? text : .infinity,
      taskScore: score.isFinite ? score : 0,
      value: value.isFinite ? value : -.infinity
    )
  }
}
