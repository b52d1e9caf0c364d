import CForge
package import GatewayPlugin
import Glibc

/// Chooses for each matrix of a model how it is compressed.
package struct Compressor: Sendable {
  /// The methods to try on dense matrices; at least one.
  package let methods: [CompressedWeights.Method]
  /// Bits a weight to aim at, 2...8; the embedding, which is also the output matrix, has its own.
  package let bits, embeddingBits: Int
  /// Bits of a seed, 4...16.
  package let seedBits: Int
  /// Decides the first codewords.
  package let seed: UInt64

  /// A compressor.
  package init(
    methods: [CompressedWeights.Method],
    bits: Int,
    embeddingBits: Int,
    seedBits: Int,
    seed: UInt64
  ) {
    precondition(!methods.isEmpty)
    self.methods = methods
    self.bits = bits
    self.embeddingBits = embeddingBits
    self.seedBits = seedBits
    self.seed = seed
  }

  /// The matrices of a model that are compressed, in order.
  package static func tensors(_ model: LanguageModel) -> [ParameterLayout.Tensor] {
    model.parameters.layout.tensors.filter(CompressedWeights.holds)
  }

  /// The most bytes that compressing a matrix of `count` weights holds.
  package static func bytes(_ count: Int) -> Int {
    VPTQ.floats(count) * MemoryLayout<Float>.stride
  }

  /// Compresses one matrix.
  ///
  /// Of several methods that one is taken whose error is lower at its own size: at high rates a bit more a weight makes
  /// the squared error a quarter (Gersho and Gray 1992), so what is compared is error · 4^bits.
  ///
  /// - Parameters:
  ///   - model: Dense or ternary.
  ///   - tensor: Which of its matrices.
  ///   - importance: How much an error counts in each column; `nil` for all alike.
  ///   - work: Threads and stops.
  /// - Returns: The matrix, and what was measured of what it decodes to.
  /// - Throws: What `work` throws; `PayloadFault` never but for a fault of ours.
  package func compress(
    _ model: LanguageModel,
    _ tensor: ParameterLayout.Tensor,
    importance: [Float]?,
    _ work: CompressionWork
  ) throws -> CompressedTensor {
    let values = model.parameters.values
    let columns = tensor.dimensions[1]
    let importance = importance ?? [Float](repeating: 1, count: columns)
    if model.form == .ternary, tensor.role == .linear {
      let matrix = CompressedWeights.encodeTrits(values, tensor)
      return try measure(matrix, values, tensor, importance, work)
    }
    let bits = tensor.role == .embedding ? embeddingBits : bits
    var best: CompressedTensor?
    for method in methods {
      let body =
        method == .seedlm
        ? try SeedLM(bits: bits, seedBits: seedBits).encode(values, tensor, work)
        : try VPTQ(bits: bits, count: tensor.count)
          .encode(values, tensor, importance: importance, seed: seed, work)
      let result = try measure(
        CompressedWeights.Matrix(method, body),
        values,
        tensor,
        importance,
        work
      )
      if best.map({ result.score < $0.score }) ?? true { best = result }
    }
    guard let best else { preconditionFailure("no method") }
    return best
  }

  private func measure(
    _ matrix: CompressedWeights.Matrix,
    _ values: Floats,
    _ tensor: ParameterLayout.Tensor,
    _ importance: [Float],
    _ work: CompressionWork
  ) throws -> CompressedTensor {
    let decoded = Floats(tensor.count, work.account)
    let alone = ParameterLayout.Tensor(
      name: tensor.name,
      dimensions: tensor.dimensions,
      offset: 0,
      role: tensor.role
    )
    try CompressedWeights.decode(matrix, alone, decoded)
    let columns = tensor.dimensions[1]
    func error(_ weights: [Float], _ other: Floats) -> Double {
      unsafe forge_weighted_error(
        tensor.count,
        columns,
        values.start + tensor.offset,
        other.start,
        weights
      )
    }
    let even = [Float](repeating: 1, count: columns)
    let zero = Floats(tensor.count, work.account)
    let whole = error(even, zero)
    let weighted = error(importance, zero)
    return CompressedTensor(
      name: tensor.name,
      count: tensor.count,
      matrix: matrix,
      relativeError: whole > 0 ? error(even, decoded) / whole : 0,
      weightedError: weighted > 0 ? error(importance, decoded) / weighted : 0
    )
  }
}

/// A compressed matrix and what was measured of it.
package struct CompressedTensor: Sendable, Equatable {
  /// Like `model.layers.0.mlp.up_proj.weight`.
  package let name: String
  /// Its weights.
  package let count: Int
  package let matrix: CompressedWeights.Matrix
  /// The squared error of what it decodes to, as a part of the weights' squares; and the same with each column weighted
  /// by its importance.
  package let relativeError, weightedError: Double

  /// Bits a weight.
  package var bits: Double { Double(matrix.body.count * 8) / Double(max(count, 1)) }

  /// What is lower for the better method.
  var score: Double { weightedError * pow(4, bits) }

  /// As reports have it.
  package var json: JSON {
    [
      "tensor": .string(name), "method": .string(matrix.method.name),
      "bytes": .integer(Int64(matrix.body.count)), "bits_per_weight": .number(bits),
      "relative_error": .number(relativeError), "weighted_error": .number(weightedError),
    ]
  }
}

extension CompressedTensor {
  /// A checkpoint of the matrices done so far.
  static func checkpoint(_ done: [CompressedTensor]) -> Checkpoint {
    let bytes = done.flatMap(\.matrix.body)
    let packed = Floats((bytes.count + 1) / 2)
    // Checkpoints hold floats; each of these has two bytes as a whole number.
    for index in 0..<packed.count {
      let high = 2 * index + 1 < bytes.count ? Int(bytes[2 * index + 1]) : 0
      packed[index] = Float(Int(bytes[2 * index]) + high << 8)
    }
    return Checkpoint(
      state: [
        "done": .array(
          done.map { result in
            [
              "tensor": .string(result.name),
              "method": .integer(Int64(result.matrix.method.rawValue)),
              "bytes": .integer(Int64(result.matrix.body.count)),
              "relative_error": .number(result.relativeError),
              "weighted_error": .number(result.weightedError),
            ]
          }
        )
      ],
      tensors: [("bodies", packed)]
    )
  }

  /// The matrices that a checkpoint holds.
  ///
  /// - Parameters:
  ///   - checkpoint: `nil` for none.
  ///   - tensors: All there will be.
  /// - Returns: Those done.
  /// - Throws: `RunFailure` when it is not a checkpoint of these.
  static func restore(
    _ checkpoint: Checkpoint?,
    _ tensors: [ParameterLayout.Tensor]
  ) throws(RunFailure) -> [CompressedTensor] {
    guard let checkpoint else { return [] }
    let fault = RunFailure("The checkpoint is not of this model's matrices; start the run anew.")
    guard let entries = checkpoint.state["done"]?.asArray, entries.count <= tensors.count else {
      throw fault
    }
    let lengths = entries.compactMap { $0["bytes"]?.asInteger }.map(Int.init)
    guard lengths.count == entries.count, lengths.allSatisfy({ (0...1 << 32).contains($0) }) else {
      throw fault
    }
    let total = lengths.reduce(0, +)
    let packed = try checkpoint.tensor("bodies", count: (total + 1) / 2)
    let bytes = packed.array.flatMap { value in
      let number = UInt16(max(0, min(value, 65_535)))
      return [UInt8(truncatingIfNeeded: number), UInt8(number >> 8)]
    }
    var start = 0
    var done: [CompressedTensor] = []
    for (entry, tensor) in zip(entries, tensors) {
      guard entry["tensor"]?.asString == tensor.name, let number = entry["method"]?.asInteger,
        let method = UInt8(exactly: number).flatMap(CompressedWeights.Method.init),
        let relative = entry["relative_error"]?.asNumber,
        let weighted = entry["weighted_error"]?.asNumber
      else { throw fault }
      let end = start + lengths[done.count]
      let matrix = CompressedWeights.Matrix(method, Array(bytes[start..<end]))
      start = end
      done.append(
        CompressedTensor(
          name: tensor.name,
          count: tensor.count,
          matrix: matrix,
          relativeError: relative,
          weightedError: weighted
        )
      )
    }
    return done
  }
}
