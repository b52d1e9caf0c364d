import CForge
import Glibc

/// Makes one set of parameters of several of the same shape.
///
/// Belongs to one thread at a time, which spreads the tensors over others by itself; a tensor is one thread's work, so
/// that the bits do not depend on how many there are.
package final class ModelMerge: Sendable {
  /// What is merged.
  package let parents: [Parameters]
  /// What deltas are taken from.
  package let base: Parameters

  private let parallel: Parallel
  /// One for each worker: the deltas of one tensor of all parents, and as much again for one.
  private let scratch: [Floats]

  /// A merge of `parents`.
  ///
  /// - Parameters:
  ///   - parents: At least one, all of the same shape.
  ///   - base: Of that shape; `nil` for the mean of the parents.
  ///   - workers: Parts of the work that go on side by side.
  ///   - parallel: The threads.
  ///   - account: Is told of the bytes.
  package init(
    _ parents: [Parameters],
    base: Parameters?,
    workers: Int,
    _ parallel: Parallel,
    _ account: MemoryAccount?
  ) {
    self.parents = parents
    self.parallel = parallel
    self.base = base ?? Self.mean(parents, account)
    let room = Self.scratchCount(parents[0].shape, parents.count)
    scratch = (0..<workers).map { _ in Floats(room, account) }
  }

  private static func mean(_ parents: [Parameters], _ account: MemoryAccount?) -> Parameters {
    let mean = Parameters(parents[0].shape, account)
    for parent in parents {
      unsafe forge_axpy(
        mean.layout.count,
        1 / Float(parents.count),
        parent.values.start,
        mean.values.start
      )
    }
    return mean
  }

  private static func scratchCount(_ shape: ModelShape, _ parents: Int) -> Int {
    (parents + 1) * (ParameterLayout(shape).tensors.map(\.count).max() ?? 0)
  }

  /// Bytes that a merge holds beside its parents.
  ///
  /// - Parameters:
  ///   - shape: Of the parents.
  ///   - parents: How many there are.
  ///   - workers: As for `init`.
  ///   - hasBase: Whether the base is given.
  /// - Returns: Bytes.
  package static func bytes(_ shape: ModelShape, parents: Int, workers: Int, hasBase: Bool) -> Int {
    let base = hasBase ? 0 : shape.parameterCount
    return (base + workers * scratchCount(shape, parents)) * MemoryLayout<Float>.stride
  }

  /// How many groups of tensors may have weights of their own: one, or one for each block and one for the rest.
  package static func groups(_ shape: ModelShape, perLayer: Bool) -> Int {
    perLayer ? shape.layers + 1 : 1
  }

  /// Merges.
  ///
  /// - Parameters:
  ///   - recipe: With weights for one group, or for `groups(_:perLayer: true)`, and for each parent.
  ///   - result: Of the parents' shape; set.
  /// - Throws: What the threads throw.
  package func merge(_ recipe: MergeRecipe, into result: Parameters) throws {
    let layout = result.layout
    precondition(recipe.weights.allSatisfy { $0.count == parents.count }, "weights of each parent")
    try parallel(scratch.count) { worker in
      for index in stride(from: worker, to: layout.tensors.count, by: scratch.count) {
        let tensor = layout.tensors[index]
        let group =
          recipe.weights.count == 1
          ? 0 : layout.blocks.lastIndex { $0.attentionNorm <= tensor.offset }.map { $0 + 1 } ?? 0
        // What follows the last block belongs to no block.
        let isRest = tensor.offset >= layout.finalNorm
        let weights = recipe.weights[isRest ? 0 : group].map { Float($0) }
        merge(tensor, recipe, weights, result, scratch[worker])
      }
    }
  }

  private func merge(
    _ tensor: ParameterLayout.Tensor,
    _ recipe: MergeRecipe,
    _ weights: [Float],
    _ result: Parameters,
    _ scratch: Floats
  ) {
    let target = unsafe result.values.start + tensor.offset
    switch recipe.method {
    case .linear: unsafe mix(tensor, weights, target)
    case .slerp: unsafe interpolate(tensor, weights, target)
    case .ties, .dare, .taskArithmetic:
      unsafe target.update(from: base.values.start + tensor.offset, count: tensor.count)
      unsafe addDeltas(tensor, recipe, weights, target, scratch)
    }
  }

  private func mix(
    _ tensor: ParameterLayout.Tensor,
    _ weights: [Float],
    _ target: UnsafeMutablePointer<Float>
  ) {
    let sum = weights.reduce(0, +)
    unsafe target.update(repeating: 0, count: tensor.count)
    for (parent, weight) in zip(parents, weights) where weight > 0 {
      unsafe forge_axpy(
        tensor.count,
        weight / sum,
        parent.values.start + tensor.offset,
        target
      )
    }
  }

  /// Each parent in turn is taken in by its part of the weights so far.
  private func interpolate(
    _ tensor: ParameterLayout.Tensor,
    _ weights: [Float],
    _ target: UnsafeMutablePointer<Float>
  ) {
    var sum: Float = 0
    for (parent, weight) in zip(parents, weights) where weight > 0 {
      let own = unsafe UnsafePointer(parent.values.start + tensor.offset)
      sum += weight
      if sum == weight {
        unsafe target.update(from: own, count: tensor.count)
      } else {
        let (kept, added) = unsafe Self.shares(tensor.count, target, own, part: weight / sum)
        unsafe forge_scale(tensor.count, kept, target)
        unsafe forge_axpy(tensor.count, added, own, target)
      }
    }
  }

  /// What two vectors are multiplied by at `part` of the arc from the first to the second; a straight line where there
  /// is no arc, because they are parallel or one is zero.
  private static func shares(
    _ count: Int,
    _ one: UnsafePointer<Float>,
    _ other: UnsafePointer<Float>,
    part: Float
  ) -> (Float, Float) {
    let norms = unsafe (forge_sum_squares(count, one) * forge_sum_squares(count, other))
      .squareRoot()
    let cosine = unsafe norms > 0 ? forge_merge_dot(count, one, other) / norms : 1
    let angle = acos(min(max(cosine, -1), 1))
    guard sin(angle) > 1e-4 else { return (1 - part, part) }
    let part = Double(part)
    return (
      Float(sin((1 - part) * angle) / sin(angle)), Float(sin(part * angle) / sin(angle))
    )
  }

  private func addDeltas(
    _ tensor: ParameterLayout.Tensor,
    _ recipe: MergeRecipe,
    _ weights: [Float],
    _ target: UnsafeMutablePointer<Float>,
    _ scratch: Floats
  ) {
    let count = tensor.count
    let spare = unsafe scratch.start + parents.count * count
    for (index, parent) in parents.enumerated() {
      let delta = unsafe scratch.start + index * count
      unsafe forge_merge_delta(
        count,
        parent.values.start + tensor.offset,
        base.values.start + tensor.offset,
        delta
      )
      if recipe.method == .ties {
        let kept = max(Int((Double(count) * recipe.density).rounded()), 1)
        unsafe forge_merge_trim(count, kept, delta, spare)
        continue
      }
      if recipe.method == .dare {
        // Each parent loses other elements.
        let seed = recipe.seed &+ UInt64(index) &* 0xD134_2543_DE82_EF95
        unsafe forge_merge_drop(count, seed, UInt64(tensor.offset), recipe.drop, delta)
      }
      unsafe forge_axpy(count, Float(recipe.scale) * weights[index], delta, target)
    }
    guard recipe.method == .ties else { return }
    unsafe weights.withUnsafeBufferPointer { weights in
      guard let weights = weights.baseAddress else { return }
      unsafe forge_merge_elect(
        count,
        parents.count,
        scratch.start,
        weights,
        Float(recipe.scale),
        target
      )
    }
  }
}
