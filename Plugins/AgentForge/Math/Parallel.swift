/// How work is spread over the host's threads.
package struct Parallel: Sendable {
  /// Runs the closure once for each index below the count, in any order or side by side, and returns when all have
  /// run; the first error is thrown.
  package typealias Run =
    @Sendable (_ count: Int, _ work: @Sendable (Int) throws -> Void) throws -> Void

  /// How many threads are worth using.
  package let width: Int
  private let run: Run

  /// Work spread by `run` over about `width` threads.
  package init(width: Int, _ run: @escaping Run) {
    self.width = width
    self.run = run
  }

  /// One after another, on the calling thread.
  package static let serial = Parallel(width: 1) { count, work in
    for index in 0..<count { try work(index) }
  }

  /// Runs `work` for each index below `count`.
  package func callAsFunction(_ count: Int, _ work: @Sendable (Int) throws -> Void) throws {
    if count == 1 { return try work(0) }
    try run(count, work)
  }
}
