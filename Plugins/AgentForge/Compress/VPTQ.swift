/// Vector quantisation of weights (VPTQ, Liu and others 2024): vectors of weights as the index of a codeword.
///
/// If need be a second codebook says what the first leaves over. Errors count by the second moment of the input they
/// meet, which is the diagonal of the layer's Hessian.
package struct VPTQ: Sendable, Equatable {
  /// Weights in a vector.
  package let size: Int
  /// Codewords of the first codebook, and of the second; 0 for none.
  package let codewords, residualCodewords: Int

  /// Vectors that codebooks are learnt of.
  private static let sample = 16_384
  /// The most weights in a vector.
  private static let mostSize = 4

  /// The form that takes so many bits a weight, before entropy coding.
  ///
  /// - Parameters:
  ///   - bits: 2...8.
  ///   - count: Of weights: a codebook must be small beside them.
  package init(bits: Int, count: Int) {
    precondition((2...8).contains(bits))
    // Longer vectors waste less, as long as their codebook, 16 bits an element, takes at most a sixteenth of all.
    let long = stride(from: Self.mostSize, through: 2, by: -1).first { size in
      size * bits <= 8 && 16 * 16 * size << (size * bits) <= bits * count
    }
    if let long {
      (size, codewords, residualCodewords) = (long, 1 << (long * bits), 0)
    } else if bits > 4, 2 * 16 * 16 * 2 << bits <= bits * count {
      (size, codewords, residualCodewords) = (2, 1 << bits, 1 << bits)
    } else {
      (size, codewords, residualCodewords) = (1, 1 << bits, 0)
    }
  }

  /// The most floats that `encode` holds for a tensor of `count` weights.
  static func floats(_ count: Int) -> Int {
    2 * (count + mostSize) + (count > sample ? 2 * sample * mostSize : 0)
  }

  /// Compresses a tensor.
  ///
  /// - Parameters:
  ///   - values: Where it stands.
  ///   - tensor: Which.
  ///   - importance: Of each of its columns, above 0.
  ///   - seed: Of the first codewords.
  ///   - work: Threads and stops.
  /// - Returns: Its bytes.
  /// - Throws: What `work` throws.
  package func encode(
    _ values: Floats,
    _ tensor: ParameterLayout.Tensor,
    importance: [Float],
    seed: UInt64,
    _ work: CompressionWork
  ) throws -> [UInt8] {
    let vectors = WeightVectors(values, tensor, importance: importance, size: size, work.account)
    var generator = Generator(seed: seed, stream: 0x5650_5451)
    var bytes: [UInt8] = [UInt8(size), residualCodewords == 0 ? 1 : 2]
    var streams: [UInt8] = []
    for wanted in [codewords, residualCodewords] where wanted > 0 {
      let sample = WeightVectors(sample: Self.sample, of: vectors, &generator, work.account)
      let codebook = try Codebook(
        of: sample,
        count: min(wanted, sample.count),
        &generator,
        work
      )
      let indices = try codebook.nearest(vectors, work)
      // What is left over is for the codebook after it.
      codebook.add(indices, sign: -1, vectors.x)
      codebook.write(&bytes)
      streams += EntropyCoder.encode(indices, alphabet: codebook.count)
    }
    return bytes + streams
  }

  /// Sets a tensor from its bytes.
  ///
  /// - Parameters:
  ///   - reader: Of what `encode` gave.
  ///   - tensor: Which.
  ///   - values: Where it stands.
  /// - Throws: `PayloadFault` for anything else.
  package static func decode(
    _ reader: inout PayloadReader,
    _ tensor: ParameterLayout.Tensor,
    _ values: Floats
  ) throws(PayloadFault) {
    let size = try reader.small(1...mostSize, "a vector's weights")
    let books = try reader.small(1...2, "a number of codebooks")
    var codebooks: [Codebook] = []
    for _ in 0..<books { codebooks.append(try Codebook(size: size, &reader, tensor.name)) }
    let count = (tensor.count + size - 1) / size
    let vectors = Floats(count * size)
    for codebook in codebooks {
      let indices = try EntropyCoder.decode(
        count,
        alphabet: codebook.count,
        &reader,
        tensor.name
      )
      codebook.add(indices, sign: 1, vectors)
    }
    unsafe (values.start + tensor.offset).update(from: vectors.start, count: tensor.count)
  }
}
