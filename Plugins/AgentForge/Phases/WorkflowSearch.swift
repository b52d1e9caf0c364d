import GatewayPlugin
import PluginStorage

/// Searches workflows for one model by successive halving: each answers the same tasks, and those that solve more go on
/// to further ones.
struct WorkflowSearch {
  /// One workflow, and what it did in each of its rungs.
  struct Candidate {
    let workflow: Workflow
    fileprivate(set) var results: [AskResult] = []
    fileprivate var scores: [Double] { results.map(\.score) }
  }

  /// The most tokens of one answer.
  fileprivate static let limit = 32

  private static let prompts = [
    "", "Answer with the result alone.", "You are good at sums.", "Answer briefly.",
    "Think first, then answer.", "Give the right answer.", "You are a careful assistant.",
    "Calculate.",
  ]

  let halving: Halving
  /// Tasks asked in all rungs together.
  let budget: Int
  let seed: UInt64
  let difficulty: Int
  private(set) var candidates: [Candidate]

  /// A search over `population` workflows, of which the first is to ask without a prompt and take the answer.
  ///
  /// - Parameters:
  ///   - population: At least 2; a model of plain text, which has no place for a prompt, has as many as there are kinds.
  ///   - template: Of the model.
  ///   - samples: Answers that are drawn.
  ///   - budget: Tasks asked in the search.
  ///   - difficulty: Of the tasks.
  ///   - seed: Decides workflows and tasks.
  init(
    _ population: Int,
    _ template: LanguageModel.Template,
    samples: Int,
    budget: Int,
    difficulty: Int,
    seed: UInt64
  ) {
    let prompts = template == .dialogue ? Self.prompts : [""]
    let population = min(population, Workflow.Kind.allCases.count * prompts.count)
    halving = Halving(population)
    self.budget = budget
    self.seed = seed
    self.difficulty = difficulty
    let all = Workflow.Kind.allCases.flatMap { kind in
      prompts.map { Workflow(kind, systemPrompt: $0, samples: samples) }
    }
    var generator = Generator(seed: seed, stream: 0x574F_524B)
    let drawn = all.dropFirst().shuffled(using: &generator).prefix(population - 1)
    candidates = (all.prefix(1) + drawn).map { Candidate(workflow: $0) }
  }

  /// Tasks that are asked in all, the comparison at the end among them.
  var steps: Int {
    halving.sizes.indices.reduce(2 * finalTasks) {
      $0 + halving.sizes[$1] * halving.share($1, budget: budget)
    }
  }

  /// Tasks of the comparison of the winner with the plain way, none of which the search saw.
  var finalTasks: Int { halving.share(halving.sizes.count - 1, budget: budget) }

  var winner: Int? { halving.alive(halving.sizes.count, candidates.map(\.scores)).first }

  /// Tasks of a rung, the same for all.
  func tasks(_ rung: Int) -> [Task] {
    draw(halving.share(rung, budget: budget), stream: rung)
  }

  /// Tasks of the comparison; fewer than `finalTasks` when there are not as many that no rung has.
  var unseenTasks: [Task] {
    let seen = Set(halving.sizes.indices.flatMap(tasks))
    // Easy families soon repeat themselves.
    let drawn = draw(8 * finalTasks, stream: halving.sizes.count)
    return Array(drawn.filter { !seen.contains($0) }.prefix(finalTasks))
  }

  private func draw(_ count: Int, stream: Int) -> [Task] {
    var generator = Generator(seed: seed, stream: 0x5441_0000 + UInt64(stream))
    return TaskSet(count, difficulty: difficulty, &generator).tasks
  }

  /// Asks until one is left, and compares that one with the plain way.
  ///
  /// - Parameters:
  ///   - model: Asked.
  ///   - context: Of the run.
  ///   - stepsBefore: What the run did before.
  ///   - state: To go on from; `nil` at the start.
  ///   - save: Saves where the search stands.
  /// - Returns: The comparison on other tasks.
  /// - Throws: `RunStopped` after `save`; `RunFailure`.
  mutating func run(
    _ model: LanguageModel,
    _ context: any PhaseContext,
    stepsBefore: Int,
    _ state: JSON?,
    save: (JSON) throws -> Void
  ) throws -> JSON {
    try restore(state)
    let asker = Asker(model, context)
    while let (rung, index) = next {
      do {
        let result = try asker.ask(candidates[index].workflow, tasks(rung), seed)
        candidates[index].results.append(result)
      } catch let stop as RunStopped {
        try save(self.state)
        throw stop
      }
      let one = candidates[index]
      context.report(
        ProgressPoint(
          step: stepsBefore + candidates.reduce(0) { $0 + $1.total.asked },
          steps: stepsBefore + steps,
          loss: nil,
          tokensPerSecond: asker.tokensPerSecond,
          details: [
            "candidate": .integer(Int64(index)), "workflow": .string(one.workflow.kind.rawValue),
            "solved": .integer(Int64(one.total.solved)), "asked": .integer(Int64(one.total.asked)),
          ]
        )
      )
      if context.isCheckpointDue { try save(self.state) }
    }
    guard let winner else { throw RunFailure("No workflow was tried.") }
    do {
      let others = unseenTasks
      let plain = try asker.ask(candidates[0].workflow, others, seed)
      let best = winner == 0 ? plain : try asker.ask(candidates[winner].workflow, others, seed)
      context.report(
        ProgressPoint(step: stepsBefore + steps, steps: stepsBefore + steps, loss: nil)
      )
      return [
        "tasks": .integer(Int64(others.count)), "plain": plain.json, "winner": best.json,
        "is_no_worse": .bool(best.solved >= plain.solved),
      ]
    } catch let stop as RunStopped {
      try save(self.state)
      throw stop
    }
  }

  /// Seconds that a task takes, the mean over the workflows; each is really asked one.
  ///
  /// - Parameters:
  ///   - model: Asked.
  ///   - context: Of the run.
  /// - Returns: Seconds.
  /// - Throws: `RunStopped`.
  func secondsPerTask(_ model: LanguageModel, _ context: any PhaseContext) throws -> Double {
    let asker = Asker(model, context)
    let task = tasks(0).prefix(1).map(\.self)
    let start = Clock.monotonic()
    for one in candidates { _ = try asker.ask(one.workflow, task, seed) }
    return Double(Clock.monotonic() - start) / 1e9 / Double(candidates.count)
  }

  /// The first candidate of the rung under way that was not asked yet.
  private var next: (rung: Int, index: Int)? {
    for rung in halving.sizes.indices {
      let alive = halving.alive(rung, candidates.map(\.scores))
      if let index = alive.first(where: { candidates[$0].scores.count == rung }) {
        return (rung, index)
      }
    }
    return nil
  }

  private var state: JSON { .array(candidates.map { .array($0.results.map(\.state)) }) }

  private mutating func restore(_ state: JSON?) throws(RunFailure) {
    guard let state, state != .null else { return }
    guard let all = state.asArray, all.count == candidates.count else {
      throw RunFailure("The checkpoint is not one of this search; start the run anew.")
    }
    for (index, one) in all.enumerated() {
      candidates[index].results = (one.asArray ?? []).compactMap { AskResult($0) }
    }
  }

  /// The archive: every workflow that was tried, and which are on the Pareto front of success and tokens in the first
  /// rung, where all had the same tasks.
  var report: JSON {
    let first = candidates.map { $0.results.first ?? AskResult(asked: 0, solved: 0, tokens: 0) }
    let front = Halving.paretoFront(first.map { -$0.share }, first.map(\.tokensPerTask))
    return [
      "archive": .array(candidates.map(\.json)),
      "pareto_front": .array(front.map { .integer(Int64($0)) }),
      "winner": winner.map { .integer(Int64($0)) } ?? .null,
    ]
  }
}

extension WorkflowSearch.Candidate {
  /// Of all rungs together.
  fileprivate var total: AskResult {
    results.reduce(into: AskResult(asked: 0, solved: 0, tokens: 0)) { sum, one in
      sum.asked += one.asked
      sum.solved += one.solved
      sum.tokens += one.tokens
    }
  }

  fileprivate var json: JSON {
    .object((workflow.json.asMembers ?? []) + (total.json.asMembers ?? []))
  }
}

/// What a workflow did on some tasks.
struct AskResult: Sendable, Equatable {
  var asked: Int
  var solved: Int
  var tokens: Int

  var share: Double { Double(solved) / Double(max(asked, 1)) }
  var tokensPerTask: Double { Double(tokens) / Double(max(asked, 1)) }
  /// Less is better: the share that was solved, and of equals the fewer tokens.
  var score: Double { 1e-6 * tokensPerTask - share }

  var json: JSON {
    [
      "asked": .integer(Int64(asked)), "solved": .integer(Int64(solved)),
      "success": .number(share), "tokens_per_task": .number(tokensPerTask),
    ]
  }
}

extension AskResult {
  fileprivate var state: JSON {
    [.integer(Int64(asked)), .integer(Int64(solved)), .integer(Int64(tokens))]
  }

  fileprivate init?(_ state: JSON) {
    let numbers = (state.asArray ?? []).compactMap { $0.asInteger.map { Int($0) } }
    guard numbers.count == 3 else { return nil }
    self.init(asked: numbers[0], solved: numbers[1], tokens: numbers[2])
  }
}

/// Puts tasks to one model, some side by side.
private final class Asker {
  private let model: LanguageModel
  private let context: any PhaseContext
  private let answers: DecodedAnswers
  private(set) var tokensPerSecond = 0.0

  init(_ model: LanguageModel, _ context: any PhaseContext) {
    self.model = model
    self.context = context
    answers = DecodedAnswers(model)
  }

  /// Asks all; the stop of the run is looked for before each few.
  func ask(_ workflow: Workflow, _ tasks: [Task], _ seed: UInt64) throws -> AskResult {
    let outcomes = Slots<Workflow.Outcome?>(tasks.count, nil)
    let start = Clock.monotonic()
    let (model, answers, width) = (model, answers, context.parallel.width)
    for first in stride(from: 0, to: tasks.count, by: width) {
      try context.checkStop()
      try context.parallel(min(width, tasks.count - first)) { worker in
        let index = first + worker
        var generator = Generator(seed: seed, stream: 0x4153_0000 + UInt64(index))
        outcomes[index] = try workflow.ask(
          tasks[index].prompt,
          model,
          answers,
          limit: WorkflowSearch.limit,
          &generator
        )
      }
    }
    var result = AskResult(asked: tasks.count, solved: 0, tokens: 0)
    for (task, outcome) in zip(tasks, outcomes.all) {
      guard let outcome else { continue }
      result.tokens += outcome.tokens
      if isCorrect(outcome.answer, for: task) { result.solved += 1 }
    }
    let seconds = Double(Clock.monotonic() - start) / 1e9
    tokensPerSecond = Double(result.tokens) / max(seconds, 1e-9)
    return result
  }
}
