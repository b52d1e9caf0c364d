import Testing

@testable import AgentForge

/// A model of random numbers whose context is `context`.
func randomModel(
  seed: UInt64,
  width: Int = 16,
  layers: Int = 2,
  context: Int = 32,
  tokenizer: Tokenizer = .bytes,
  template: LanguageModel.Template = .dialogue
) -> LanguageModel {
  let shape = ModelShape(
    vocabulary: tokenizer.vocabulary,
    width: width,
    layers: layers,
    heads: 2,
    hidden: 24,
    context: context
  )
  var generator = Generator(seed: seed)
  let parameters = Parameters(shape)
  parameters.initialize(&generator)
  return LanguageModel(parameters: parameters, tokenizer: tokenizer, template: template)
}

@Suite("Merging models")
struct ModelMergeTests {
  private let parents = (1...3).map { randomModel(seed: UInt64($0)).parameters }

  private func merged(
    _ recipe: MergeRecipe,
    base: Parameters? = nil,
    workers: Int = 1,
    _ parallel: Parallel = .serial
  ) throws -> [Float] {
    let merge = ModelMerge(parents, base: base, workers: workers, parallel, nil)
    let result = Parameters(parents[0].shape)
    try merge.merge(recipe, into: result)
    return result.values.array
  }

  private func values(_ index: Int) -> [Float] { parents[index].values.array }

  private func isNear(_ one: [Float], _ other: [Float], within: Float = 1e-5) -> Bool {
    zip(one, other).allSatisfy { abs($0 - $1) <= within }
  }

  @Test("a recipe of one parent gives that parent to the bit")
  func oneParentGivesThatParent() throws {
    for index in 0..<3 {
      let recipe = MergeRecipe(parent: index, of: 3, groups: 1)
      #expect(try merged(recipe) == values(index))
    }
  }

  @Test("linear is the weighted mean")
  func linearIsTheWeightedMean() throws {
    let result = try merged(MergeRecipe(.linear, weights: [[1, 1, 2]]))
    let all = (0..<3).map(values)
    let expected = result.indices.map { (index: Int) -> Float in
      let sum: Float = all[0][index] + all[1][index]
      return (sum + 2 * all[2][index]) / 4
    }
    #expect(isNear(result, expected))
  }

  @Test("each layer follows its own weights, what belongs to no layer the first ones")
  func eachLayerFollowsItsOwnWeights() throws {
    let recipe = MergeRecipe(.linear, weights: [[1, 0, 0], [0, 1, 0], [0, 0, 1]])
    let result = try merged(recipe)
    for tensor in parents[0].layout.tensors {
      let parent = tensor.name.contains("layers.0.") ? 1 : tensor.name.contains("layers.1.") ? 2 : 0
      #expect(result[tensor.range] == values(parent)[tensor.range], "\(tensor.name)")
    }
  }

  @Test("halfway on the arc between two vectors the norm is kept")
  func slerpKeepsTheNorm() throws {
    let result = try merged(MergeRecipe(.slerp, weights: [[1, 1, 0]]))
    func norm(_ values: [Float]) -> Double {
      values.reduce(0.0) { (sum: Double, value: Float) in sum + Double(value * value) }.squareRoot()
    }
    let range = try #require(parents[0].layout.tensor("model.layers.0.mlp.up_proj.weight")).range
    let norms = [result, values(0), values(1)].map { norm(Array($0[range])) }
    let bounds = (0.97 * min(norms[1], norms[2]), 1.03 * max(norms[1], norms[2]))
    #expect(norms[0] > bounds.0)
    #expect(norms[0] < bounds.1)
    // The norms' gains are equal in all parents: there is no arc between them.
    let gains = try #require(parents[0].layout.tensor("model.norm.weight")).range
    #expect(isNear(Array(result[gains]), Array(values(0)[gains])))
  }

  @Test("task arithmetic adds the scaled deltas to the base")
  func taskArithmeticAddsDeltas() throws {
    var recipe = MergeRecipe(.taskArithmetic, weights: [[0, 1, 0.5]])
    recipe.scale = 0.5
    let result = try merged(recipe, base: parents[0])
    let all = (0..<3).map(values)
    let expected = result.indices.map { (index: Int) -> Float in
      let one: Float = all[1][index] - all[0][index]
      let other: Float = all[2][index] - all[0][index]
      return all[0][index] + 0.5 * one + 0.25 * other
    }
    #expect(isNear(result, expected))
  }

  @Test("without a base deltas are taken from the mean of the parents")
  func theBaseIsTheMean() throws {
    var recipe = MergeRecipe(.taskArithmetic, weights: [[1, 1, 1]])
    recipe.scale = 1
    // The deltas from the mean cancel out.
    let mean = try merged(MergeRecipe(.linear, weights: [[1, 1, 1]]))
    #expect(isNear(try merged(recipe), mean))
  }

  @Test(
    "TIES with all kept and one voter is task arithmetic; with less kept it moves fewer elements"
  )
  func tiesTrims() throws {
    var ties = MergeRecipe(.ties, weights: [[0, 1, 0]])
    ties.density = 1
    let arithmetic = MergeRecipe(.taskArithmetic, weights: [[0, 1, 0]])
    #expect(isNear(try merged(ties, base: parents[0]), try merged(arithmetic, base: parents[0])))
    ties.density = 0.25
    let result = try merged(ties, base: parents[0])
    let range = try #require(parents[0].layout.tensor("model.embed_tokens.weight")).range
    let (start, target) = (values(0), values(1))
    let moved = range.filter { result[$0] != start[$0] }
    #expect(moved.count == (range.count + 2) / 4)
    let deltas = range.map { (index: Int) -> Float in abs(target[index] - start[index]) }
    let kept = range.map { (index: Int) -> Bool in result[index] != start[index] }
    let smallest = zip(deltas, kept).filter(\.1).map(\.0).min() ?? 0
    let largest = zip(deltas, kept).filter { !$0.1 }.map(\.0).max() ?? 0
    #expect(smallest >= largest)
  }

  @Test("TIES takes the mean of those that agree with the elected sign")
  func tiesElectsSigns() throws {
    let shape = parents[0].shape
    let models = (0..<3).map { _ in Parameters(shape) }
    // Two small votes up, a larger one down; then two up that outweigh it.
    for (model, pair) in zip(models, [[Float(1), 3], [2, 1], [-4, -2]]) {
      model.values[0] = pair[0]
      model.values[1] = pair[1]
    }
    let merge = ModelMerge(models, base: Parameters(shape), workers: 1, .serial, nil)
    var recipe = MergeRecipe(.ties, weights: [[1, 1, 1]])
    recipe.density = 1
    let result = Parameters(shape)
    try merge.merge(recipe, into: result)
    #expect(result.values[0] == -4)
    #expect(result.values[1] == 2)
    #expect(result.values[2] == 0)
  }

  @Test("DARE drops the asked share, scales up the rest, and its seed decides which")
  func dareDropsAndRescales() throws {
    var recipe = MergeRecipe(.dare, weights: [[0, 1, 0]])
    recipe.drop = 0.75
    let result = try merged(recipe, base: parents[0])
    let range = try #require(parents[0].layout.tensor("model.embed_tokens.weight")).range
    let (start, target) = (values(0), values(1))
    let moved = range.filter { result[$0] != start[$0] }
    let share = Double(moved.count) / Double(range.count)
    #expect(abs(share - 0.25) < 0.03)
    for index in moved.prefix(50) {
      let delta: Float = target[index] - start[index]
      let step: Float = result[index] - start[index]
      #expect(abs(step - 4 * delta) < 1e-5)
    }
    #expect(try merged(recipe, base: parents[0]) == result)
    recipe.seed = 1
    #expect(try merged(recipe, base: parents[0]) != result)
    recipe.drop = 0
    let arithmetic = MergeRecipe(.taskArithmetic, weights: [[0, 1, 0]])
    #expect(try merged(recipe, base: parents[0]) == merged(arithmetic, base: parents[0]))
  }

  @Test("the bits do not depend on the threads", arguments: MergeRecipe.Operator.allCases)
  func theBitsDoNotDependOnTheThreads(method: MergeRecipe.Operator) throws {
    let recipe = MergeRecipe(method, weights: [[0.2, 0.5, 0.9]])
    #expect(try merged(recipe) == merged(recipe, workers: 3, .reversed))
  }

  @Test("models that differ are refused with what differs and how")
  func modelsThatDifferAreRefused() throws {
    var ternary = randomModel(seed: 1)
    ternary.form = .ternary
    let words = try Tokenizer(merges: [Merge(97, 98)])
    let cases: [(LanguageModel, [String])] = [
      (randomModel(seed: 1, width: 32), ["width (32, not 16)"]),
      (
        randomModel(seed: 1, layers: 1, context: 16), ["layers (1, not 2)", "context (16, not 32)"]
      ),
      (randomModel(seed: 1, tokenizer: words), ["vocabulary (273, not 272)", "tokenizer"]),
      (ternary, ["b is ternary"]),
    ]
    for (model, words) in cases {
      let error = #expect(throws: RunFailure.self) {
        try Mergeable.check([("a", randomModel(seed: 2)), ("b", model)])
      }
      for word in words { #expect(error?.description.contains(word) == true, "\(word)") }
    }
    try Mergeable.check([("a", randomModel(seed: 2)), ("b", randomModel(seed: 3))])
  }
}
