import CForge

/// SeedLM (Shafipour and others 2024): blocks of weights as a seed, whose pseudo-random basis needs no room, and a few 4-bit
/// coefficients with one exponent.
package struct SeedLM: Sendable, Equatable {
  /// Weights in a block, its coefficients, and the bits of its seed.
  package let block, basis, seedBits: Int

  /// The blocks whose seeds are searched at once.
  private static let part = 1024
  private static let levels = 16

  /// The form that takes about so many bits a weight.
  ///
  /// - Parameters:
  ///   - bits: 2...8.
  ///   - seedBits: 4...16: 12 is meant, fewer take fewer bits and search faster but find worse bases.
  package init(bits: Int, seedBits: Int) {
    precondition((2...8).contains(bits) && (4...16).contains(seedBits))
    // With seeds of 12 bits: (12 + 4 + 4 · basis) / block, the best of the forms of that size on normal numbers.
    let forms = [(12, 2), (8, 2), (8, 4), (6, 4), (5, 3), (4, 3), (4, 4)]
    (block, basis) = forms[bits - 2]
    self.seedBits = seedBits
  }

  /// Reads a form as `encode` wrote it.
  private init(_ reader: inout PayloadReader) throws(PayloadFault) {
    block = try reader.small(1...FORGE_SEED_BLOCK, "a block's weights")
    basis = try reader.small(1...min(block, FORGE_SEED_BASIS), "a basis' size")
    seedBits = try reader.small(4...16, "a seed's bits")
  }

  private func form(_ topExponent: Int) -> forge_seed_form {
    forge_seed_form(
      block: Int32(block),
      basis: Int32(basis),
      seed_bits: Int32(seedBits),
      top_exponent: Int32(topExponent)
    )
  }

  /// Compresses a tensor.
  ///
  /// - Parameters:
  ///   - values: Where it stands.
  ///   - tensor: Which.
  ///   - work: Threads and stops.
  /// - Returns: Its bytes.
  /// - Throws: What `work` throws.
  package func encode(
    _ values: Floats,
    _ tensor: ParameterLayout.Tensor,
    _ work: CompressionWork
  ) throws -> [UInt8] {
    let count = (tensor.count + block - 1) / block
    let padded = Floats(count * block, work.account)
    unsafe padded.start.update(from: values.start + tensor.offset, count: tensor.count)
    var most: Float = 0
    for index in 0..<tensor.count { most = max(most, padded[index].magnitude) }
    // Coefficients may be some times larger than the weights; four times is enough for all but useless bases.
    let topExponent = most == 0 ? 0 : min(max(Int((most * 4 / 7).exponent) + 1, -100), 100)
    let found = try work.parts(count, size: Self.part) { range in
      var form = form(topExponent)
      let blocks = unsafe padded.start + range.lowerBound * block
      var seeds = [UInt16](repeating: 0, count: range.count)
      var coefficients = [UInt8](repeating: 0, count: range.count * basis)
      var exponents = [UInt8](repeating: 0, count: range.count)
      unsafe forge_seed_search(range.count, blocks, &form, &seeds)
      unsafe forge_seed_coefficients(range.count, blocks, &form, seeds, &coefficients, &exponents)
      return (seeds: seeds, coefficients: coefficients, exponents: exponents)
    }
    var bytes = [block, basis, seedBits].map { UInt8($0) }
    bytes.append(UInt8(bitPattern: Int8(topExponent)))
    bytes += EntropyCoder.packBits(found.flatMap(\.seeds), width: seedBits)
    bytes += EntropyCoder.encode(found.flatMap(\.coefficients), alphabet: Self.levels)
    bytes += EntropyCoder.encode(found.flatMap(\.exponents), alphabet: Self.levels)
    return bytes
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
    let own = try SeedLM(&reader)
    let topExponent = Int(Int8(bitPattern: try reader.integer(UInt8.self, "an exponent")))
    guard (-100...100).contains(topExponent) else {
      throw PayloadFault("The packed weights have \(topExponent) as exponent of \(tensor.name).")
    }
    let count = (tensor.count + own.block - 1) / own.block
    let name = tensor.name
    let seeds = try EntropyCoder.unpackBits(count, width: own.seedBits, &reader, name)
    guard !seeds.contains(0) else {
      throw PayloadFault("The packed weights have 0 as a seed in \(name).")
    }
    let coefficients = try EntropyCoder.decode(count * own.basis, alphabet: levels, &reader, name)
    let exponents = try EntropyCoder.decode(count, alphabet: levels, &reader, name)
    let blocks = Floats(count * own.block)
    var form = own.form(topExponent)
    unsafe forge_seed_decode(count, &form, seeds, coefficients, exponents, blocks.start)
    unsafe (values.start + tensor.offset).update(from: blocks.start, count: tensor.count)
  }
}
