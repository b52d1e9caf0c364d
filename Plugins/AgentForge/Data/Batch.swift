package import GatewayPlugin

/// Rows of tokens to train or measure on at once.
package struct Batch: Sendable, Equatable {
  package let rows: Int
  /// Tokens a row.
  package let length: Int
  /// `[rows, length]`, row after row.
  package var tokens: [Int32]
  /// `[rows, length]`: what follows each token, −1 where that does not count.
  package var targets: [Int32]

  /// A batch of the given rows.
  ///
  /// - Parameters:
  ///   - rows: At least 1.
  ///   - length: At least 1.
  ///   - tokens: `rows * length` of them.
  ///   - targets: As many.
  package init(rows: Int, length: Int, tokens: [Int32], targets: [Int32]) {
    precondition(rows > 0 && length > 0, "\(rows) rows of \(length)")
    precondition(tokens.count == rows * length && targets.count == tokens.count, "not \(rows) rows")
    self.rows = rows
    self.length = length
    self.tokens = tokens
    self.targets = targets
  }

  /// Windows of `stream`, one a row; each target is the token after, and what lies beyond the end is `endOfText` without
  /// a target.
  ///
  /// - Parameters:
  ///   - stream: The tokens, at least one.
  ///   - starts: Where each row begins, within the stream; at least one.
  ///   - length: Tokens a row.
  init(windowsOf stream: [Int32], at starts: [Int], length: Int) {
    var tokens: [Int32] = []
    var targets: [Int32] = []
    tokens.reserveCapacity(starts.count * length)
    targets.reserveCapacity(starts.count * length)
    for start in starts {
      let window = stream[start..<min(start + length, stream.count)]
      let next = stream[(start + 1)..<min(start + 1 + length, stream.count)]
      tokens += window
      targets += next
      tokens += repeatElement(Special.endOfText.id, count: length - window.count)
      targets += repeatElement(-1, count: length - next.count)
    }
    self.init(rows: starts.count, length: length, tokens: tokens, targets: targets)
  }

  /// How many targets count.
  package var targetCount: Int { targets.count { $0 >= 0 } }
}

/// Where the batches of a training come from, one after the other.
package protocol BatchSource: Sendable {
  /// The next batch, `[rows, length]`; there is always one more.
  mutating func next(rows: Int, length: Int) -> Batch

  /// What a checkpoint keeps of the source, so that it goes on with the batches it would have given.
  var state: JSON { get }

  /// Goes on from a `state` of the same kind of source over the same data.
  ///
  /// - Parameter state: As `state` gave it.
  /// - Throws: `DataError.badState` for any other.
  mutating func restore(_ state: JSON) throws
}
