import Synchronization

/// One value for each part of work that runs side by side.
package final class Slots<Value: Sendable>: Sendable {
  private let values: Mutex<[Value]>

  /// `count` times `value`.
  package init(_ count: Int, _ value: Value) {
    values = Mutex(Array(repeating: value, count: count))
  }

  /// One of them.
  package subscript(_ index: Int) -> Value {
    get { values.withLock { $0[index] } }
    set { values.withLock { $0[index] = newValue } }
  }

  /// All of them in order.
  package var all: [Value] { values.withLock(\.self) }
}
