package import GatewayPlugin

/// Where a run stands: enough to go on with the same bits.
package struct Checkpoint: Sendable {
  /// The phase's own account: step, random states, curve, what it has already made.
  package var state: JSON
  /// Numbers by name: parameters, moments, averages.
  package var tensors: [(name: String, values: Floats)]

  /// A checkpoint.
  package init(state: JSON, tensors: [(name: String, values: Floats)] = []) {
    self.state = state
    self.tensors = tensors
  }

  /// The tensor of that name, if it has `count` numbers.
  ///
  /// - Parameters:
  ///   - name: As saved.
  ///   - count: As saved.
  /// - Returns: The numbers.
  /// - Throws: `RunFailure` when they are not there.
  package func tensor(_ name: String, count: Int) throws(RunFailure) -> Floats {
    guard let found = tensors.first(where: { $0.name == name })?.values, found.count == count else {
      throw RunFailure(
        "The checkpoint has no tensor \(name) of \(count) numbers; start the run anew."
      )
    }
    return found
  }
}
