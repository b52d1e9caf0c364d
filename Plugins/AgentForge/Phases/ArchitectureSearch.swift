import GatewayPlugin

/// Searches sizes of models by successive halving: each is trained from random numbers on the same text, with the same
/// steps in a rung, and those with the lower held-out loss go on where they stood.
struct ArchitectureSearch {
  /// One size, and the held-out losses it had at the end of each of its rungs.
  struct Candidate {
    let shape: ModelShape
    var losses: [Double] = []
    /// Where its training stands between two rungs, and its numbers; `nil` before the first and when it is out.
    var kept: (state: JSON, tensors: [(name: String, values: Floats)])?
  }

  /// Sizes that are drawn from: widths of `heads * headWidth`.
  private static let heads = [1, 2, 4, 8]
  private static let headWidths = [8, 16, 32, 64]
  private static let layers = 1...8
  /// Hidden elements, as a multiple of the width.
  private static let spread = [1.5, 2, 8.0 / 3, 4]

  let halving: Halving
  /// Optimiser steps of all rungs together.
  let budget: Int
  /// Optimiser steps of the search and of the training of the best after it.
  let steps: Int
  let settings: TrainSettings
  let seed: UInt64
  /// Steps of the run that follow the search's; progress counts them too.
  var stepsAfter = 0
  private(set) var candidates: [Candidate]

  /// A search over these shapes, at least two.
  init(_ shapes: [ModelShape], budget: Int, steps: Int, _ settings: TrainSettings, seed: UInt64) {
    halving = Halving(shapes.count)
    candidates = shapes.map { Candidate(shape: $0) }
    self.budget = budget
    self.steps = steps
    self.settings = settings
    self.seed = seed
  }

  /// Different shapes within a budget of parameters; at first those that use at least two fifths of it.
  ///
  /// - Parameters:
  ///   - count: How many are wanted.
  ///   - limit: The most parameters of one.
  ///   - vocabulary: Of all.
  ///   - context: Of all.
  ///   - seed: Decides them.
  ///   - first: A shape that is among them, if it is within the budget.
  /// - Returns: At most `count`.
  static func shapes(
    _ count: Int,
    limit: Int,
    vocabulary: Int,
    context: Int,
    seed: UInt64,
    first: ModelShape?
  ) -> [ModelShape] {
    var generator = Generator(seed: seed, stream: 0x4144_4153)
    var found = first.map { $0.parameterCount <= limit ? [$0] : [] } ?? []
    for attempt in 0..<4000 where found.count < count {
      let heads = heads[generator.below(heads.count)]
      let width = heads * headWidths[generator.below(headWidths.count)]
      let hidden = max((Int(Double(width) * spread[generator.below(spread.count)]) + 3) / 4 * 4, 8)
      let shape = ModelShape(
        vocabulary: vocabulary,
        width: width,
        layers: layers.lowerBound + generator.below(layers.count),
        heads: heads,
        hidden: hidden,
        context: context
      )
      let size = shape.parameterCount
      let isLarge = size * 5 >= limit * 2 || attempt >= 2000
      if size <= limit, isLarge, !found.contains(shape) { found.append(shape) }
    }
    return found
  }

  /// Optimiser steps that all candidates together do in the search; at most `budget`, but for rounding up to 1.
  var searchSteps: Int {
    halving.sizes.indices.reduce(0) {
      $0 + halving.sizes[$1] * halving.share($1, budget: budget)
    }
  }

  /// Optimiser steps that the winner still does after the search.
  var finalSteps: Int { max(steps - searchSteps, 0) }

  /// Steps that a candidate has done at the end of a rung.
  private func stepsDone(after rung: Int) -> Int {
    (0...rung).reduce(0) { $0 + halving.share($1, budget: budget) }
  }

  /// The rung that is under way; the number of rungs when the search is over.
  private var rung: Int {
    halving.sizes.indices.first { rung in
      halving.alive(rung, candidates.map(\.losses)).contains { candidates[$0].losses.count == rung }
    } ?? halving.sizes.count
  }

  /// The best candidate of the last rung.
  var winner: Int? { halving.alive(halving.sizes.count, candidates.map(\.losses)).first }

  /// Bytes of one training, and of what is kept of the others.
  static func bytes(_ shapes: [ModelShape], _ settings: TrainSettings) -> Int {
    let counts = shapes.map(\.parameterCount).sorted(by: >)
    let float = MemoryLayout<Float>.stride
    let trainings = shapes.map { Trainer.bytes($0, settings) + $0.parameterCount * float }
    // Of each other candidate: parameters and two moments; the one that goes on is copied from what was kept.
    return (trainings.max() ?? 0) + 3 * counts.reduce(0, +) * float
  }

  /// Trains until one is left, and that one to the last step.
  ///
  /// - Parameters:
  ///   - dataset: To learn from.
  ///   - validation: To measure on.
  ///   - context: Of the run.
  ///   - checkpoint: To go on from, made by `wrap`.
  ///   - wrap: Makes a checkpoint's state of the search's.
  /// - Returns: The winner's parameters.
  /// - Throws: `RunStopped` after a checkpoint was saved; `RunFailure`.
  mutating func run(
    _ dataset: Dataset,
    _ validation: [Batch],
    _ context: any PhaseContext,
    _ checkpoint: Checkpoint?,
    wrap: (JSON) -> JSON
  ) throws -> Parameters {
    var pending = try restore(checkpoint)
    while rung < halving.sizes.count {
      let rung = rung
      let alive = halving.alive(rung, candidates.map(\.losses))
      for index in candidates.indices where !alive.contains(index) { candidates[index].kept = nil }
      guard let index = alive.first(where: { candidates[$0].losses.count == rung }) else { break }
      let steps = stepsDone(after: rung)
      let loop = try train(
        index,
        steps,
        isFinal: false,
        dataset,
        validation,
        context,
        pending,
        wrap
      )
      pending = nil
      let loss = try loop.trainer.validate(validation)
      candidates[index].losses.append(loss)
      candidates[index].kept = loop.checkpoint
      context.log("Candidate \(index): held-out loss \(loss) after \(steps) steps.")
    }
    guard let winner else { throw RunFailure("No candidate was trained.") }
    for index in candidates.indices where index != winner { candidates[index].kept = nil }
    let done = stepsDone(after: halving.sizes.count - 1)
    let loop = try train(
      winner,
      done + finalSteps,
      isFinal: true,
      dataset,
      validation,
      context,
      pending,
      wrap
    )
    candidates[winner].kept = nil
    return loop.trainer.parameters
  }

  private func train(
    _ index: Int,
    _ steps: Int,
    isFinal: Bool,
    _ dataset: Dataset,
    _ validation: [Batch],
    _ context: any PhaseContext,
    _ pending: (state: JSON, checkpoint: Checkpoint)?,
    _ wrap: (JSON) -> JSON
  ) throws -> TrainingLoop {
    var settings = settings
    settings.steps = steps
    // In the search the rate stays where it is, so that one training can go on after another's length; it falls at the
    // end, in the training of the winner.
    if !isFinal { settings.finalRate = 1 }
    let parameters = Parameters(candidates[index].shape, context.account)
    var generator = Generator(seed: seed, stream: 1)
    parameters.initialize(&generator)
    let trainer = Trainer(parameters, settings, context.parallel, context.account)
    let source = RandomWindows(dataset, seed: seed)
    var loop = TrainingLoop(trainer, source, validation: validation, context.account)
    loop.validateEvery = isFinal ? max(finalSteps / 20, 10) : .max
    if let pending {
      try loop.restore(pending.state, pending.checkpoint)
    } else if let kept = candidates[index].kept {
      try loop.restore(kept.state, Checkpoint(state: .null, tensors: kept.tensors))
    }
    loop.stepsBefore = doneBefore(index, isFinal: isFinal)
    loop.stepsInAll = searchSteps + finalSteps + stepsAfter
    loop.details = { _ in
      ["candidate": .integer(Int64(index)), "stage": isFinal ? "training" : "search"]
    }
    loop.otherTensors = candidates.indices.filter { $0 != index }.flatMap { other in
      (candidates[other].kept?.tensors ?? []).map { ("\(other).\($0.name)", $0.values) }
    }
    try loop.run(context) { wrap(state(index, $0)) }
    return loop
  }

  /// What is added to a loop's own step to count the steps of all candidates.
  private func doneBefore(_ index: Int, isFinal: Bool) -> Int {
    let others = candidates.indices.filter { $0 != index }
    return others.reduce(0) { sum, other in
      let rungs = candidates[other].losses.count
      return sum + (rungs == 0 ? 0 : stepsDone(after: rungs - 1))
    }
  }
}

extension ArchitectureSearch {
  private func state(_ index: Int, _ loop: JSON) -> JSON {
    [
      "loop": loop,
      "losses": .array(candidates.map { .array($0.losses.map(JSON.number)) }),
      "kept": .array(candidates.enumerated().map { $0 == index ? .null : $1.kept?.state ?? .null }),
    ]
  }

  private mutating func restore(
    _ checkpoint: Checkpoint?
  ) throws(RunFailure) -> (state: JSON, checkpoint: Checkpoint)? {
    guard let checkpoint else { return nil }
    let state = checkpoint.state["architecture"]
    guard let losses = state?["losses"]?.asArray, let kept = state?["kept"]?.asArray,
      losses.count == candidates.count, kept.count == candidates.count, let loop = state?["loop"]
    else { throw RunFailure("The checkpoint is not one of this search; start the run anew.") }
    for index in candidates.indices {
      candidates[index].losses = (losses[index].asArray ?? []).compactMap(\.asNumber)
      guard kept[index] != .null else { continue }
      let count = candidates[index].shape.parameterCount
      var tensors: [(name: String, values: Floats)] = []
      for name in ["parameters", "moment1", "moment2"] {
        tensors.append((name, try checkpoint.tensor("\(index).\(name)", count: count)))
      }
      candidates[index].kept = (kept[index], tensors)
    }
    return (loop, checkpoint)
  }

  /// The archive: every size that was tried with its losses, and which are on the Pareto front of loss and size after
  /// the first rung, where all have done the same steps.
  var report: JSON {
    let front = Halving.paretoFront(
      candidates.map { $0.losses.first ?? .infinity },
      candidates.map { Double($0.shape.parameterCount) }
    )
    return [
      "archive": .array(
        candidates.enumerated().map { index, candidate in
          [
            "number": .integer(Int64(index)),
            "parameters": .integer(Int64(candidate.shape.parameterCount)),
            "width": .integer(Int64(candidate.shape.width)),
            "layers": .integer(Int64(candidate.shape.layers)),
            "heads": .integer(Int64(candidate.shape.heads)),
            "hidden": .integer(Int64(candidate.shape.hidden)),
            "rungs": .array(
              candidate.losses.enumerated().map { rung, loss in
                ["steps": .integer(Int64(stepsDone(after: rung))), "loss": .number(loss)]
              }
            ),
          ]
        }
      ),
      "pareto_front": .array(front.map { .integer(Int64($0)) }),
      "winner": winner.map { .integer(Int64($0)) } ?? .null,
      "search_steps": .integer(Int64(searchSteps)), "final_steps": .integer(Int64(finalSteps)),
    ]
  }
}
