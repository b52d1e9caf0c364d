/// Keys and values of the tokens a decoder has read, so that the next one need not compute them again.
final class KeyValueCache {
  /// Tokens it has room for.
  let capacity: Int
  private let heads, headWidth: Int
  /// One for each block: `[heads, capacity, headWidth]`, so that what one head reads stands together.
  private let keys, values: [Floats]

  /// An empty cache for `capacity` tokens; `account` is told of the bytes.
  init(_ shape: ModelShape, capacity: Int, _ account: MemoryAccount?) {
    self.capacity = capacity
    heads = shape.heads
    headWidth = shape.headWidth
    keys = (0..<shape.layers).map { _ in Floats(shape.width * capacity, account) }
    values = (0..<shape.layers).map { _ in Floats(shape.width * capacity, account) }
  }

  /// Bytes of a cache, without making it.
  static func bytes(_ shape: ModelShape, capacity: Int) -> Int {
    2 * shape.layers * shape.width * capacity * MemoryLayout<Float>.stride
  }

  /// Keeps what one block computed.
  ///
  /// - Parameters:
  ///   - queryKeyValue: `[rows, 3 * width]`, already rotated.
  ///   - rows: How many.
  ///   - position: Of the first.
  ///   - block: Which.
  func store(_ queryKeyValue: Floats, rows: Int, at position: Int, block: Int) {
    precondition(position + rows <= capacity, "token \(position + rows) of \(capacity)")
    let width = heads * headWidth
    for row in 0..<rows {
      for head in 0..<heads {
        let source = unsafe queryKeyValue.start + row * 3 * width + width + head * headWidth
        let place = (head * capacity + position + row) * headWidth
        unsafe (keys[block].start + place).update(from: source, count: headWidth)
        unsafe (values[block].start + place).update(from: source + width, count: headWidth)
      }
    }
  }

  /// The keys of one head, `[capacity, headWidth]`.
  func keys(block: Int, head: Int) -> UnsafePointer<Float> {
    unsafe UnsafePointer(keys[block].start + head * capacity * headWidth)
  }

  /// The values of one head, `[capacity, headWidth]`.
  func values(block: Int, head: Int) -> UnsafePointer<Float> {
    unsafe UnsafePointer(values[block].start + head * capacity * headWidth)
  }
}
