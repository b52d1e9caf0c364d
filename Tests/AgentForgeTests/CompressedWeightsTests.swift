import CForge
import Testing

@testable import AgentForge

@Suite("Compressed weights")
struct CompressedWeightsTests {
  /// A matrix of normal numbers whose last block and last vector are not full.
  private let tensor = ParameterLayout.Tensor(
    name: "w",
    dimensions: [37, 14],
    offset: 5,
    role: .linear
  )
  private let work = CompressionWork(.reversed)

  private func values() -> Floats {
    let floats = Floats(tensor.range.upperBound)
    floats.set(normals(floats.count))
    return floats
  }

  /// The squared error as a part of the square.
  private func error(_ one: Floats, _ other: Floats) -> Double {
    let even = [Float](repeating: 1, count: 14)
    let zero = Floats(other.count)
    let start = tensor.offset
    return forge_weighted_error(tensor.count, 14, one.start + start, other.start + start, even)
      / forge_weighted_error(tensor.count, 14, one.start + start, zero.start + start, even)
  }

  private func decoded(_ matrix: CompressedWeights.Matrix) throws -> Floats {
    let floats = Floats(tensor.range.upperBound)
    try CompressedWeights.decode(matrix, tensor, floats)
    return floats
  }

  private func seedLM(_ bits: Int, seedBits: Int = 8) throws -> CompressedWeights.Matrix {
    let form = SeedLM(bits: bits, seedBits: seedBits)
    return CompressedWeights.Matrix(.seedlm, try form.encode(values(), tensor, work))
  }

  private func vptq(_ bits: Int) throws -> CompressedWeights.Matrix {
    let body = try VPTQ(bits: bits, count: tensor.count).encode(
      values(),
      tensor,
      importance: [Float](repeating: 1, count: 14),
      seed: 1,
      work
    )
    return CompressedWeights.Matrix(.vptq, body)
  }

  @Test("more bits lose less")
  func moreBitsLoseLess() throws {
    for matrices in [
      try [2, 4, 8].map { try seedLM($0) }, try [2, 3, 4, 6, 8].map { try vptq($0) },
    ] {
      let errors = try matrices.map { error(values(), try decoded($0)) }
      #expect(errors == errors.sorted(by: >))
      #expect(errors[0] < 0.4)
      #expect(errors[errors.count - 1] < 0.001 && errors[errors.count - 1] > 0)
    }
  }

  @Test("the seed that is found is the best of all")
  func theSeedIsTheBest() {
    let block = normals(8, seed: 2)
    var form = forge_seed_form(block: 8, basis: 3, seed_bits: 7, top_exponent: -2)
    func loss(_ seed: UInt16) -> Float {
      var (q, exponent) = ([UInt8](repeating: 0, count: 3), [UInt8(0)])
      var decoded = [Float](repeating: 0, count: 8)
      forge_seed_coefficients(1, block, &form, [seed], &q, &exponent)
      forge_seed_decode(1, &form, [seed], q, exponent, &decoded)
      return zip(block, decoded).reduce(0) { $0 + ($1.0 - $1.1) * ($1.0 - $1.1) }
    }
    var found: [UInt16] = [0]
    forge_seed_search(1, block, &form, &found)
    let losses = (1..<128).map { loss(UInt16($0)) }
    let least = losses.min() ?? 0
    #expect(loss(found[0]) <= least * 1.0001)
    // They are not all alike.
    #expect((losses.max() ?? 0) > 2 * least)
  }

  @Test("a shift register goes through all its states", arguments: 4...16)
  func aRegisterGoesThroughAllStates(bits: Int) {
    // Numbers of a basis are states `bits` steps apart; as many steps as there are states lead back to the start.
    var form = forge_seed_form(block: 1, basis: 1, seed_bits: Int32(bits), top_exponent: 0)
    let middle = Float(1 << (bits - 1))
    var state: UInt16 = 1
    var seen: Set<UInt16> = []
    repeat {
      seen.insert(state)
      var number: Float = 0
      forge_seed_decode(1, &form, [state], [9], [0], &number)
      state = UInt16((number * (middle - 1) + middle).rounded())
    } while !seen.contains(state)
    #expect(state == 1)
    // `bits` steps at once miss no state when they share no factor with the length of the cycle.
    var (a, b) = ((1 << bits) - 1, bits)
    while b > 0 { (a, b) = (b, a % b) }
    #expect(seen.count == ((1 << bits) - 1) / a)
  }

  @Test("errors weigh less where inputs are small")
  func errorsWeighLessWhereInputsAreSmall() throws {
    // The columns that count little hold large numbers, which draw the codewords when all count alike.
    var importance = [Float](repeating: 1, count: 14)
    for column in 7..<14 { importance[column] = 0.001 }
    let values = values()
    for index in 0..<tensor.count where index % 14 >= 7 { values[tensor.offset + index] *= 10 }
    func left(_ weights: [Float]) throws -> Double {
      let body = try VPTQ(bits: 3, count: tensor.count)
        .encode(values, tensor, importance: weights, seed: 1, work)
      let back = try decoded(.init(.vptq, body))
      let start = tensor.offset
      return forge_weighted_error(
        tensor.count,
        14,
        values.start + start,
        back.start + start,
        importance
      )
    }
    #expect(try left(importance) < left([Float](repeating: 1, count: 14)) / 2)
  }

  @Test("a matrix of zeros and one of few weights come back")
  func smallMatricesComeBack() throws {
    let tiny = ParameterLayout.Tensor(name: "t", dimensions: [1, 3], offset: 0, role: .linear)
    for numbers in [[0, 0, 0], [0.5, -0.25, 0]] as [[Float]] {
      let floats = Floats(3)
      floats.set(numbers)
      let back = Floats(3)
      let vptq = try VPTQ(bits: 4, count: 3).encode(
        floats,
        tiny,
        importance: [1, 1, 1],
        seed: 1,
        work
      )
      try CompressedWeights.decode(.init(.vptq, vptq), tiny, back)
      #expect(zip(back.array, numbers).allSatisfy { abs($0 - $1) < 1e-4 })
      let seedlm = try SeedLM(bits: 8, seedBits: 8).encode(floats, tiny, work)
      try CompressedWeights.decode(.init(.seedlm, seedlm), tiny, back)
      #expect(zip(back.array, numbers).allSatisfy { abs($0 - $1) < 0.06 })
    }
  }

  @Test("ternary matrices come back bit for bit, in fewer bits than a trit has")
  func ternaryMatricesComeBack() throws {
    let model = TernaryTests.model()
    for tensor in model.parameters.layout.tensors where tensor.role == .linear {
      let matrix = CompressedWeights.encodeTrits(model.parameters.values, tensor)
      let back = Parameters(model.shape)
      try CompressedWeights.decode(matrix, tensor, back.values)
      #expect(tensor.range.allSatisfy { back.values[$0] == model.parameters.values[$0] })
    }
  }

  /// A small model with each method in it.
  private func payload() throws -> (shape: ModelShape, bytes: [UInt8]) {
    let shape = ModelShape(
      vocabulary: 257,
      width: 8,
      layers: 1,
      heads: 2,
      hidden: 8,
      context: 8
    )
    let parameters = Parameters(shape)
    parameters.values.set(normals(parameters.layout.count))
    let matrices = try parameters.layout.tensors.filter(CompressedWeights.holds).enumerated()
      .map { index, tensor in
        switch index % 3 {
        case 0:
          let body = try VPTQ(bits: 2, count: tensor.count).encode(
            parameters.values,
            tensor,
            importance: [Float](repeating: 1, count: 8),
            seed: 1,
            work
          )
          return CompressedWeights.Matrix(.vptq, body)
        case 1:
          let form = SeedLM(bits: 3, seedBits: 5)
          let body = try form.encode(parameters.values, tensor, work)
          return CompressedWeights.Matrix(.seedlm, body)
        default: return CompressedWeights.encodeTrits(parameters.values, tensor)
        }
      }
    return (shape, CompressedWeights.payload(matrices))
  }

  @Test("a payload that ends at any byte, or after the last, is refused")
  func cutPayloadsAreRefused() throws {
    let (shape, bytes) = try payload()
    let parameters = Parameters(shape)
    try CompressedWeights.fill(parameters, bytes)
    for end in bytes.indices {
      #expect(throws: PayloadFault.self) {
        try CompressedWeights.fill(parameters, Array(bytes[..<end]))
      }
    }
    #expect(throws: PayloadFault.self) { try CompressedWeights.fill(parameters, bytes + [0]) }
  }

  @Test("a payload with any byte changed is refused or gives finite numbers")
  func changedPayloadsGiveFiniteNumbers() throws {
    let (shape, bytes) = try payload()
    let parameters = Parameters(shape)
    var generator = Generator(seed: 5)
    var refused = 0
    for index in bytes.indices where index < 80 || index % 5 == 0 {
      var changed = bytes
      changed[index] = UInt8(generator.below(256))
      do {
        try CompressedWeights.fill(parameters, changed)
        #expect(parameters.values.array.allSatisfy { $0.isFinite })
      } catch { refused += 1 }
    }
    #expect(refused > 0)
  }
}
