import CForge

/// The codewords of a vector quantiser.
struct Codebook: Sendable {
  /// Elements of a codeword.
  let size: Int
  /// How many codewords, 1...256.
  let count: Int
  /// `[size, count]`, as they are stored: 16-bit numbers times one scale.
  let words: [Float]
  private let scale: Float
  private let numbers: [Int16]

  /// Passes over the vectors, each of which moves all codewords to the middle of what is nearest to them.
  private static let rounds = 12
  /// Vectors that one thread assigns at once.
  private static let part = 8192

  private init(size: Int, count: Int, scale: Float, numbers: [Int16]) {
    self.size = size
    self.count = count
    self.scale = scale
    self.numbers = numbers
    words = numbers.map { Float($0) * scale }
  }

  private init(rounding words: [Float], size: Int, count: Int) {
    let most = words.reduce(0) { max($0, $1.magnitude) }
    let scale = max(most / 32_767, .leastNormalMagnitude)
    let numbers = words.map { Int16(max(-32_767, min(32_767, ($0 / scale).rounded()))) }
    self.init(size: size, count: count, scale: scale, numbers: numbers)
  }

  /// Learns codewords of vectors: k-means++ (Arthur and Vassilvitskii 2007), then Lloyd's rounds.
  ///
  /// - Parameters:
  ///   - vectors: Of which to learn.
  ///   - count: How many, 1...256, at most as many as the vectors.
  ///   - generator: Drawn from.
  ///   - work: Threads and stops.
  /// - Throws: What `work` throws.
  init(
    of vectors: WeightVectors,
    count: Int,
    _ generator: inout Generator,
    _ work: CompressionWork
  ) throws {
    let size = vectors.size
    var words = Self.start(vectors, count, &generator)
    var last = Double.infinity
    for _ in 0..<Self.rounds {
      let (indices, distances) = try Self.nearest(vectors, words, count, work)
      let total = distances.reduce(0) { $0 + Double($1) }
      // A thousandth is what no held-out loss shows.
      if total >= last * 0.999 { break }
      last = total
      words = Self.middles(vectors, words, count, indices, distances)
    }
    self.init(rounding: words, size: size, count: count)
  }

  /// The first codewords: vectors, each drawn with a chance as its squared distance from those before.
  private static func start(
    _ vectors: WeightVectors,
    _ count: Int,
    _ generator: inout Generator
  ) -> [Float] {
    let size = vectors.size
    var words = [Float](repeating: 0, count: size * count)
    let distances = Floats(vectors.count)
    for index in 0..<vectors.count { distances[index] = .greatestFiniteMagnitude }
    var pick = generator.below(vectors.count)
    for word in 0..<count {
      for element in 0..<size { words[element * count + word] = vectors.x[pick * size + element] }
      unsafe forge_approach(
        vectors.count,
        size,
        vectors.x.start,
        vectors.h.start,
        vectors.x.start + pick * size,
        distances.start
      )
      pick = unsafe forge_pick(vectors.count, distances.start, generator.uniform())
    }
    return words
  }

  private static func middles(
    _ vectors: WeightVectors,
    _ words: [Float],
    _ count: Int,
    _ indices: [UInt8],
    _ distances: [Float]
  ) -> [Float] {
    let size = vectors.size
    var words = words
    var sums = [Double](repeating: 0, count: size * count)
    var totals = sums
    unsafe forge_cluster(
      vectors.count,
      size,
      vectors.x.start,
      vectors.h.start,
      count,
      indices,
      &sums,
      &totals
    )
    for index in words.indices where totals[index] > 0 {
      words[index] = Float(sums[index] / totals[index])
    }
    // A codeword that nothing is nearest to moves to the vector that is farthest from its own.
    var distances = distances
    for word in 0..<count where totals[word] == 0 {
      guard let farthest = distances.indices.max(by: { distances[$0] < distances[$1] }),
        distances[farthest] > 0
      else { break }
      for element in 0..<size {
        words[element * count + word] = vectors.x[farthest * size + element]
      }
      distances[farthest] = 0
    }
    return words
  }

  /// The codeword nearest to each vector.
  func nearest(_ vectors: WeightVectors, _ work: CompressionWork) throws -> [UInt8] {
    try Self.nearest(vectors, words, count, work).indices
  }

  private static func nearest(
    _ vectors: WeightVectors,
    _ words: [Float],
    _ count: Int,
    _ work: CompressionWork
  ) throws -> (indices: [UInt8], distances: [Float]) {
    let size = vectors.size
    let parts = try work.parts(vectors.count, size: part) { range in
      var indices = [UInt8](repeating: 0, count: range.count)
      var distances = [Float](repeating: 0, count: range.count)
      let first = range.lowerBound * size
      unsafe forge_nearest(
        range.count,
        size,
        vectors.x.start + first,
        vectors.h.start + first,
        count,
        words,
        &indices,
        &distances
      )
      return (indices, distances)
    }
    return (parts.flatMap(\.0), parts.flatMap(\.1))
  }

  /// Adds each vector's codeword, times `sign`, to `values[indices.count, size]`.
  func add(_ indices: [UInt8], sign: Float, _ values: Floats) {
    precondition(values.count >= indices.count * size)
    unsafe forge_add_codewords(indices.count, size, count, words, indices, sign, values.start)
  }

  /// Adds the codebook's bytes.
  func write(_ bytes: inout [UInt8]) {
    bytes.append(UInt8(count - 1))
    bytes.append(float: scale)
    for number in numbers { bytes.append(number: number) }
  }

  /// Reads what `write` wrote.
  init(size: Int, _ reader: inout PayloadReader, _ what: String) throws(PayloadFault) {
    let count = try reader.small(0...255, what) + 1
    let scale = try reader.float(what)
    // The largest weight there may be: sums of two codewords stay finite.
    guard scale.magnitude <= 1e30 else {
      throw PayloadFault("The packed weights have \(scale) as a codebook's scale in \(what).")
    }
    let bytes = try reader.take(2 * size * count, what)
    let numbers = (0..<(size * count)).map { index in
      Int16(bitPattern: UInt16(bytes[2 * index]) | UInt16(bytes[2 * index + 1]) << 8)
    }
    self.init(size: size, count: count, scale: scale, numbers: numbers)
  }
}
