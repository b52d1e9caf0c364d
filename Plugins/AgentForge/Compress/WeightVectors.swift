/// A tensor's weights as short vectors, and how much each element's error counts.
struct WeightVectors: Sendable {
  /// Elements of a vector.
  let size: Int
  /// How many vectors; the last is filled up with zeros that do not count.
  let count: Int
  /// `[count, size]`.
  let x: Floats
  /// `[count, size]`.
  let h: Floats

  /// The vectors of a tensor, one row after another.
  ///
  /// - Parameters:
  ///   - values: Where it stands.
  ///   - tensor: A matrix.
  ///   - importance: Of each of its columns.
  ///   - size: Elements of a vector.
  ///   - account: Is told of the bytes.
  init(
    _ values: Floats,
    _ tensor: ParameterLayout.Tensor,
    importance: [Float],
    size: Int,
    _ account: MemoryAccount?
  ) {
    precondition(tensor.dimensions.count == 2 && importance.count == tensor.dimensions[1])
    self.size = size
    count = (tensor.count + size - 1) / size
    x = Floats(count * size, account)
    h = Floats(count * size, account)
    unsafe x.start.update(from: values.start + tensor.offset, count: tensor.count)
    unsafe importance.withUnsafeBufferPointer { row in
      guard let first = row.baseAddress else { return }
      for start in stride(from: 0, to: tensor.count, by: row.count) {
        unsafe (h.start + start).update(from: first, count: row.count)
      }
    }
  }

  /// Some of them, drawn evenly; all when there are no more than `most`.
  init(
    sample most: Int,
    of other: WeightVectors,
    _ generator: inout Generator,
    _ account: MemoryAccount?
  ) {
    size = other.size
    guard other.count > most else {
      (count, x, h) = (other.count, other.x, other.h)
      return
    }
    count = most
    x = Floats(most * size, account)
    h = Floats(most * size, account)
    for index in 0..<most {
      let from = generator.below(other.count) * size
      unsafe (x.start + index * size).update(from: other.x.start + from, count: size)
      unsafe (h.start + index * size).update(from: other.h.start + from, count: size)
    }
  }
}
