/// The sizes of training with thoughts.
///
/// A base row is `prefix` tokens of text and the next `ahead` but the last, a thought row has between the two
/// `<|startofthought|>`, a thought, `<|endofthought|>`: plain causal sequences, so that what is computed is exact
/// without the paper's masks.
package struct ThoughtShape: Sendable, Equatable {
  /// Tokens of text before a thought.
  package var prefix: Int
  /// Thoughts at each position.
  package var thoughts: Int
  /// Tokens of one thought.
  package var length: Int
  /// Tokens that are predicted after it.
  package var ahead: Int

  /// Sizes, all at least 1.
  package init(prefix: Int, thoughts: Int, length: Int, ahead: Int) {
    precondition(prefix >= 1 && thoughts >= 1 && length >= 1 && ahead >= 1)
    self.prefix = prefix
    self.thoughts = thoughts
    self.length = length
    self.ahead = ahead
  }

  /// Tokens of a row without a thought.
  package var baseLength: Int { prefix + ahead - 1 }
  /// Tokens of a row with one.
  package var rowLength: Int { baseLength + length + 2 }

  /// In a base row, the place from which the `k`-th token ahead is predicted.
  func basePlace(_ k: Int) -> Int { prefix - 1 + k }
  /// The same in a thought row.
  func thoughtPlace(_ k: Int) -> Int { prefix + length + 1 + k }
}
