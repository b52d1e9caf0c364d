/// Times in order of coming, as a binary heap.
struct DeadlineHeap {
  struct Entry: Equatable {
    /// Nanoseconds of the monotonic clock.
    var time: Int64
    var token: UInt64
  }

  private var entries: [Entry] = []

  var first: Entry? { entries.first }

  mutating func push(_ entry: Entry) {
    entries.append(entry)
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].time < entries[parent].time else { return }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  /// Removes the earliest entry; there must be one.
  mutating func removeFirst() {
    entries.swapAt(0, entries.count - 1)
    entries.removeLast()
    var parent = 0
    while true {
      var least = parent
      var child = 2 * parent + 1
      while child < min(2 * parent + 3, entries.count) {
        if entries[child].time < entries[least].time { least = child }
        child += 1
      }
      guard least != parent else { return }
      entries.swapAt(parent, least)
      parent = least
    }
  }
}
