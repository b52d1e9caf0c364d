import Foundation
import Testing

@testable import AgentForge
@testable import GatewayPlugin

/// A small model with numbers everywhere, and something for it to read.
struct SmallModel {
  let shape: ModelShape
  let parameters: Parameters
  let tokens: [Int32]
  let targets: [Int32]
  let rows = 2
  let length = 9

  init(halts: Bool = false, seed: UInt64 = 3) {
    var shape = ModelShape(vocabulary: 260, width: 8, layers: 3, heads: 2, hidden: 12, context: 9)
    shape.halts = halts
    self.shape = shape
    parameters = Parameters(shape)
    var generator = Generator(seed: seed)
    for index in 0..<parameters.layout.count {
      parameters.values[index] = Float(generator.normal() * 0.3)
    }
    if let halting = parameters.layout.halting { parameters.values[halting + shape.width] = -0.5 }
    tokens = (0..<18).map { _ in Int32(generator.below(260)) }
    targets = (0..<18).map { $0 == 4 ? -1 : Int32(generator.below(260)) }
  }

  /// The loss, and the gradient when asked for.
  func loss(gradients: Floats?, ponderCost: Float = 0) -> Double {
    let space = Workspace(shape, rows: rows, length: length)
    let transformer = Transformer(shape)
    transformer.forward(tokens, rows: rows, length: length, parameters, space)
    // Graves' ponder time: layers and remainder.
    let ponder =
      space.halting.map { halting in
        (0..<18).reduce(0.0) { sum, position in
          let last = halting.last[position]
          return sum + Double(last + 1 + halting.weights[Int(last) * 18 + position])
        } * Double(ponderCost)
      } ?? 0
    guard let gradients else {
      return transformer.losses(targets, parameters, space).reduce(0) { $0 + Double($1) } / 17
        + ponder
    }
    let weights = [Float](repeating: 1 / 17, count: 18)
    let sum = transformer.loss(targets, weights: weights, parameters, space, gradients)
    transformer.backward(
      tokens,
      rows: rows,
      length: length,
      parameters,
      space,
      gradients,
      ponderCost: ponderCost
    )
    return sum / 17 + ponder
  }
}

@Suite("The transformer")
struct TransformerTests {
  @Test("gradients agree with finite differences in every tensor", arguments: [false, true])
  func gradientsAgreeWithFiniteDifferences(halts: Bool) throws {
    let model = SmallModel(halts: halts)
    let gradients = Floats(model.parameters.layout.count)
    _ = model.loss(gradients: gradients, ponderCost: 0.02)
    for tensor in model.parameters.layout.tensors {
      // Along the tensor's own gradient: the slope is the gradient's norm, and float noise averages out.
      let norm = tensor.range.reduce(0.0) { $0 + Double(gradients[$1] * gradients[$1]) }
        .squareRoot()
      guard norm > 1e-4 else { continue }
      let kept = tensor.range.map { model.parameters.values[$0] }
      func moved(_ distance: Double) -> Double {
        for (index, value) in zip(tensor.range, kept) {
          model.parameters.values[index] = value + Float(distance * Double(gradients[index]) / norm)
        }
        return model.loss(gradients: nil, ponderCost: 0.02)
      }
      let step = 4e-3
      let slope = (moved(step) - moved(-step)) / (2 * step)
      for (index, value) in zip(tensor.range, kept) { model.parameters.values[index] = value }
      #expect(abs(slope - norm) < 0.02 * norm + 2e-4, "\(tensor.name): \(slope) and \(norm)")
    }
  }

  @Test("a later token changes nothing before it")
  func aLaterTokenChangesNothingBeforeIt() {
    let model = SmallModel()
    let space = Workspace(model.shape, rows: 1, length: 9)
    let transformer = Transformer(model.shape)
    var tokens = Array(model.tokens[0..<9])
    transformer.forward(tokens, rows: 1, length: 9, model.parameters, space)
    let before = Array(space.hidden.array[0..<(7 * 8)])
    tokens[8] = (tokens[8] + 1) % 260
    tokens[7] = (tokens[7] + 1) % 260
    transformer.forward(tokens, rows: 1, length: 9, model.parameters, space)
    #expect(Array(space.hidden.array[0..<(7 * 8)]) == before)
  }

  @Test("the bytes of a workspace are known before it is made", arguments: [false, true])
  func theBytesOfAWorkspaceAreKnown(halts: Bool) {
    let model = SmallModel(halts: halts)
    let account = MemoryAccount()
    let space = Workspace(model.shape, rows: 3, length: 7, account)
    #expect(account.current == Workspace.bytes(model.shape, rows: 3, length: 7))
    withExtendedLifetime(space) {}
  }
}

@Suite("PyTorch's figures")
struct ReferenceTests {
  private let figures: JSON
  private let shape = ModelShape(
    vocabulary: 300,
    width: 16,
    layers: 2,
    heads: 2,
    hidden: 24,
    context: 12
  )

  init() throws {
    let file = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("Reference/reference.json")
    figures = try JSON.parse(Array(Data(contentsOf: file)).span)
  }

  private func trainer(shards: Int, accumulation: Int = 1) -> Trainer {
    let parameters = Parameters(shape)
    for tensor in parameters.layout.tensors {
      for index in tensor.range {
        let wave = sin(0.37 * Double(index) + 0.1)
        parameters.values[index] = Float(tensor.role == .vector ? 1 + 0.1 * wave : 0.2 * wave)
      }
    }
    var settings = TrainSettings(steps: 1000, batchSize: 2, length: 12, shards: shards)
    settings.rate = 1e-2
    settings.finalRate = 1
    settings.warmup = 0
    settings.accumulation = accumulation
    return Trainer(parameters, settings, .serial, nil)
  }

  private var batch: Batch {
    var tokens: [Int32] = []
    var targets: [Int32] = []
    for row in 0..<2 {
      let line = (0...12).map { Int32((7 * $0 * $0 + 31 * row + 5 * $0) % 300) }
      tokens += line[0..<12]
      targets += line[1...12]
    }
    targets[3] = -1
    return Batch(rows: 2, length: 12, tokens: tokens, targets: targets)
  }

  @Test("gradients of every tensor are PyTorch's")
  func gradientsAreTheSame() throws {
    let trainer = trainer(shards: 1)
    let space = trainer.spaces[0]
    let gradients = Floats(trainer.parameters.layout.count)
    let batch = batch
    trainer.transformer.forward(batch.tokens, rows: 2, length: 12, trainer.parameters, space)
    let weights = [Float](repeating: 1 / 23, count: 24)
    _ = trainer.transformer.loss(
      batch.targets,
      weights: weights,
      trainer.parameters,
      space,
      gradients
    )
    trainer.transformer.backward(
      batch.tokens,
      rows: 2,
      length: 12,
      trainer.parameters,
      space,
      gradients
    )
    for tensor in trainer.parameters.layout.tensors {
      let expected = try #require(figures["gradients"]?[tensor.name])
      let norm = try #require(expected["norm"]?.asNumber)
      let found = tensor.range.reduce(0.0) { $0 + Double(gradients[$1] * gradients[$1]) }
        .squareRoot()
      #expect(abs(found - norm) < 1e-4 * norm + 1e-7, "\(tensor.name)")
      let distance = max(1, tensor.count / 5)
      for (index, value) in (expected["some"]?.asArray ?? []).enumerated() {
        let wanted = try #require(value.asNumber)
        let own = Double(gradients[tensor.offset + index * distance])
        #expect(abs(own - wanted) < 1e-4 * norm + 1e-7, "\(tensor.name) \(index)")
      }
    }
  }

  @Test(
    "losses, norms and weights of AdamW steps are PyTorch's",
    arguments: [(1, 1), (2, 1), (1, 2)]
  )
  func stepsAreTheSame(shards: Int, accumulation: Int) throws {
    let trainer = trainer(shards: shards, accumulation: accumulation)
    let losses = (figures["losses"]?.asArray ?? []).compactMap(\.asNumber)
    let norms = (figures["norms"]?.asArray ?? []).compactMap(\.asNumber)
    #expect(losses.count == 4 && norms.count == 4)
    for (loss, norm) in zip(losses, norms) {
      let result = try trainer.step(batch)
      #expect(abs(result.loss - loss) < 2e-4 * loss)
      #expect(abs(result.gradientNorm - norm) < 1e-3 * norm)
    }
    for tensor in trainer.parameters.layout.tensors {
      let expected = (figures["weights"]?[tensor.name]?.asArray ?? []).compactMap(\.asNumber)
      #expect(expected.count == 3)
      for (index, value) in expected.enumerated() {
        #expect(abs(Double(trainer.parameters.values[tensor.offset + index]) - value) < 2e-3)
      }
    }
  }
}
