import CForge
import Testing

@testable import AgentForge

/// Numbers that a seed decides.
func normals(_ count: Int, seed: UInt64 = 4, deviation: Double = 0.1) -> [Float] {
  var generator = Generator(seed: seed)
  return (0..<count).map { _ in Float(generator.normal() * deviation) }
}

@Suite("Ternary weights")
struct TernaryTests {
  static let shape: ModelShape = {
    var shape = ModelShape(
      vocabulary: 272,
      width: 16,
      layers: 2,
      heads: 2,
      hidden: 21,
      context: 24
    )
    shape.quantizesActivations = true
    return shape
  }()

  /// A model whose linear layers are ternary.
  static func model(_ shape: ModelShape = shape) -> LanguageModel {
    let latent = Parameters(shape)
    latent.values.set(normals(latent.layout.count, deviation: 0.3))
    let parameters = Parameters(shape)
    TernaryWeights.round(latent, parameters)
    var model = LanguageModel(parameters: parameters, tokenizer: .bytes, template: .plain)
    model.form = .ternary
    model.payload = TernaryWeights.pack(parameters).payload
    return model
  }

  @Test("a weight becomes the nearest of −s, 0 and s, where s is the mean size")
  func weightsBecomeTheNearest() {
    let weights: [Float] = [0.9, -0.9, 0.4, -0.4, 2.4, -1, 0, -0.0]
    let scale = forge_ternary_scale(8, weights)
    #expect(scale == 0.75)
    var rounded = [Float](repeating: 7, count: 8)
    forge_ternary_round(8, scale, weights, &rounded)
    #expect(rounded == [0.75, -0.75, 0.75, -0.75, 0.75, -0.75, 0, 0])
    #expect(rounded.allSatisfy { $0 != 0 || $0.sign == .plus })
    forge_ternary_round(2, 1, [0.5, 0.51], &rounded)
    #expect(rounded[..<2] == [0, 1])
  }

  @Test("the parts of a rounding are the whole, however many there are", arguments: [1, 2, 3, 40])
  func partsAreTheWhole(parts: Int) {
    let latent = Parameters(Self.shape)
    latent.values.set(normals(latent.layout.count))
    let whole = Parameters(Self.shape)
    let split = Parameters(Self.shape)
    TernaryWeights.round(latent, whole)
    for part in 0..<parts { TernaryWeights.round(latent, split, part: part, parts: parts) }
    #expect(whole.values.array == split.values.array)
    for tensor in latent.layout.tensors where tensor.role != .linear {
      #expect(tensor.range.allSatisfy { whole.values[$0] == latent.values[$0] })
    }
  }

  @Test("trits come back from bytes of five", arguments: [0, 1, 4, 5, 6, 243, 1001])
  func tritsComeBack(count: Int) {
    let values = normals(count).map { $0 > 0.05 ? Float(1) : $0 < -0.05 ? -1 : 0 }
    let size = forge_trits_bytes(count)
    #expect(size == (count + 4) / 5)
    var packed = [UInt8](repeating: 0, count: size + 1)
    #expect(forge_trits_pack(count, values, &packed) == values.count { $0 == 0 })
    var trits = [Int8](repeating: 9, count: count + 1)
    #expect(forge_trits_unpack(count, packed, &trits) == 0)
    #expect(trits.prefix(count).map(Float.init) == values)
    #expect(trits[count] == 9)
  }

  @Test(
    "every kernel gives the sum of whole numbers exactly",
    arguments: [1, 31, 128, 129, 2049, 4100]
  )
  func kernelsAreExact(columns: Int) {
    var generator = Generator(seed: 8)
    let rows = 5
    let trits = (0..<(rows * columns)).map { _ in Int8(generator.below(3) - 1) }
    var input = [Int8](repeating: 0, count: forge_ternary_padded(columns))
    // The largest numbers in one row, so that sums of 16 bits would overflow if they could.
    for index in 0..<columns { input[index] = Int8(generator.below(2) == 0 ? 127 : -127) }
    var same = trits
    for index in 0..<columns { same[index] = input[index] > 0 ? 1 : -1 }
    var expected = [Int32](repeating: 0, count: rows)
    for row in 0..<rows {
      for column in 0..<columns {
        expected[row] += Int32(same[row * columns + column]) * Int32(input[column])
      }
    }
    #expect(expected[0] == 127 * Int32(columns))
    var layout = [UInt8](repeating: 0, count: rows * forge_ternary_padded(columns) / 4)
    forge_ternary_layout(rows, columns, same, &layout)
    for level in 0...forge_best_level() {
      var dots = [Int32](repeating: 0, count: rows)
      forge_ternary_dots(level, rows, columns, layout, input, &dots)
      #expect(dots == expected, "level \(level)")
    }
  }

  @Test("inputs are rounded as in training")
  func inputsAreRounded() {
    let input = normals(50, deviation: 3)
    let expected = Floats(50)
    expected.set(input)
    forge_quantize_rows(1, 50, expected.start)
    var rounded = [Int8](repeating: 1, count: forge_ternary_padded(50))
    // What is rounded already stays as it is.
    for source in [input, expected.array] {
      let step = forge_ternary_activations(50, source, &rounded)
      for index in 0..<50 {
        #expect(abs(Float(rounded[index]) * step - expected[index]) < 1e-5)
      }
      #expect(rounded[50...].allSatisfy { $0 == 0 })
    }
    #expect(rounded.contains(127) || rounded.contains(-127))
  }

  @Test("the packed kernel answers as the transformer does on the same weights")
  func theKernelAnswersAsTheTransformer() throws {
    let model = Self.model()
    let tokens: [Int32] = [5, 80, 260, 33, 7, 7, 100]
    let ready = RunnableModel(model)
    guard case .ternary = ready.layers.blocks[0].down.weights else {
      Issue.record("the layer is not on the ternary kernel")
      return
    }
    let space = Workspace(model.shape, rows: 1, length: tokens.count)
    let transformer = Transformer(model.shape)
    transformer.forward(tokens, rows: 1, length: tokens.count, model.parameters, space)
    let decoder = Decoder(ready, capacity: tokens.count)
    decoder.read(Array(tokens[..<3]))
    for position in 3..<tokens.count { decoder.read([tokens[position]]) }
    transformer.logits((tokens.count - 1)..<tokens.count, model.parameters, space)
    let most = (0..<272).map { abs(space.logits[$0] - decoder.logits[$0]) }.max() ?? 1
    #expect(most < 2e-4)
  }

  @Test("a matrix that is not ternary, or whose inputs are not rounded, stays on floats")
  func otherMatricesStayOnFloats() {
    let model = Self.model()
    let tensor = model.parameters.layout.tensors[2]
    model.parameters.values[tensor.offset + 3] = 0.123
    #expect(TernaryMatrix(model.parameters.values, tensor) == nil)
    if case .ternary = RunnableModel(model).layers.blocks[0].queryKeyValue.weights {
      Issue.record("one of its numbers is not a trit")
    }
    var plain = Self.shape
    plain.quantizesActivations = false
    if case .ternary = RunnableModel(Self.model(plain)).layers.blocks[0].down.weights {
      Issue.record("its inputs are not rounded")
    }
  }

  @Test("packed weights that end at any byte, or after the last, are refused")
  func cutPayloadsAreRefused() throws {
    let model = Self.model()
    let copy = Parameters(Self.shape)
    for end in 0..<model.payload.count {
      #expect(throws: PayloadFault.self) {
        try TernaryWeights.fill(copy, Array(model.payload[..<end]))
      }
    }
    #expect(throws: PayloadFault.self) { try TernaryWeights.fill(copy, model.payload + [0]) }
    try TernaryWeights.fill(copy, model.payload)
    for tensor in copy.layout.tensors where tensor.role == .linear {
      #expect(tensor.range.allSatisfy { copy.values[$0] == model.parameters.values[$0] })
    }
  }

  @Test("bytes that are no five trits and scales that are no size are refused")
  func badBytesAreRefused() {
    let model = Self.model()
    let copy = Parameters(Self.shape)
    func refuses(_ at: Int, _ bytes: [UInt8]) -> Bool {
      var payload = model.payload
      payload.replaceSubrange(at..<(at + bytes.count), with: bytes)
      do { try TernaryWeights.fill(copy, payload) } catch { return true }
      return false
    }
    #expect(refuses(0, [0]))
    // The first matrix: 4 bytes of mark, 4 of scale, 256 trits, so that its last byte holds one.
    #expect(!refuses(8, [242]))
    #expect(refuses(8, [243]))
    #expect(!refuses(8 + 51, [0 + 3 + 9 + 27 + 81]))
    #expect(refuses(8 + 51, [0]))
    #expect(refuses(4, [0, 0, 0xC0, 0x7F]))
    #expect(refuses(4, [0, 0, 0x80, 0xBF]))
  }
}
