/// Gives the smallest of what was put in; equal ones in no order.
///
/// A binary heap: `push` and `pop` take log n steps, and the memory is kept for what comes next.
struct MinHeap<Element: Comparable> {
  private var elements: [Element] = []

  mutating func push(_ element: Element) {
    elements.append(element)
    var child = elements.count - 1
    while child > 0, element < elements[(child - 1) / 2] {
      elements[child] = elements[(child - 1) / 2]
      child = (child - 1) / 2
    }
    elements[child] = element
  }

  /// Takes the smallest out; `nil` when there is none.
  mutating func pop() -> Element? {
    guard let top = elements.first else { return nil }
    let moved = elements.removeLast()
    if elements.isEmpty { return top }
    var hole = 0
    while 2 * hole + 1 < elements.count {
      var child = 2 * hole + 1
      if child + 1 < elements.count, elements[child + 1] < elements[child] { child += 1 }
      if !(elements[child] < moved) { break }
      elements[hole] = elements[child]
      hole = child
    }
    elements[hole] = moved
    return top
  }
}
