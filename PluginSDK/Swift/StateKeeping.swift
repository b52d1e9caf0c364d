/// A plugin that keeps something in memory which the next generation takes over.
///
/// A plugin whose state is all in its database does not need this.
public protocol StateKeeping: Plugin {
  /// What the bytes are, and which of them this build can read.
  static var stateSchema: StateSchema { get }

  /// Gives the state, on the setup thread. New requests wait; those that take longer than the hold still run.
  ///
  /// - Returns: The bytes, in the schema that this build writes.
  /// - Throws: The swap is called off.
  func snapshot() throws -> [UInt8]

  /// Takes the state over, between `init` and `activate`.
  ///
  /// - Parameters:
  ///   - state: What the old generation gave.
  ///   - schema: In which schema, within what this build reads.
  /// - Throws: The swap is called off.
  func restore(_ state: [UInt8], schema: Int) throws
}

/// The schema of a plugin's state.
public struct StateSchema: Sendable, Equatable {
  let name: String
  let writes: UInt32
  let reads: ClosedRange<UInt32>

  /// A schema.
  ///
  /// - Parameters:
  ///   - name: A stable name, like `org.example.cart`.
  ///   - writes: The number that this build writes.
  ///   - reads: The numbers that this build can read.
  public init(_ name: String, writes: UInt32, reads: ClosedRange<UInt32>) {
    self.name = name
    self.writes = writes
    self.reads = reads
  }
}
