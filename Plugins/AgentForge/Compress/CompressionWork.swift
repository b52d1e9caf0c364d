/// What compressing has around it: threads, memory, and a way to be stopped.
package struct CompressionWork {
  /// Spreads the work.
  package let parallel: Parallel
  /// Is told of the bytes.
  package let account: MemoryAccount?
  /// Asked between pieces of work, on the thread that compresses; what it throws ends the work.
  package let checkStop: () throws -> Void

  /// Work with these around it.
  package init(
    _ parallel: Parallel,
    _ account: MemoryAccount? = nil,
    checkStop: @escaping () throws -> Void = {}
  ) {
    self.parallel = parallel
    self.account = account
    self.checkStop = checkStop
  }

  /// Cuts `0..<count` into parts and computes them side by side.
  ///
  /// - Parameters:
  ///   - count: Of what there is.
  ///   - size: The most in one part; does not depend on the threads.
  ///   - compute: Gives the value of a part, on any thread.
  /// - Returns: The values in order.
  /// - Throws: What `checkStop` and the threads throw.
  func parts<Value: Sendable>(
    _ count: Int,
    size: Int,
    _ compute: @Sendable (Range<Int>) -> Value
  ) throws -> [Value] {
    let ranges = stride(from: 0, to: count, by: size).map { $0..<min($0 + size, count) }
    var values: [Value] = []
    values.reserveCapacity(ranges.count)
    let width = max(parallel.width, 1)
    for start in stride(from: 0, to: ranges.count, by: width) {
      try checkStop()
      let group = ranges[start..<min(start + width, ranges.count)]
      let slots = Slots<Value?>(group.count, nil)
      try parallel(group.count) { slots[$0] = compute(group[start + $0]) }
      values += slots.all.compactMap { $0 }
    }
    return values
  }
}
