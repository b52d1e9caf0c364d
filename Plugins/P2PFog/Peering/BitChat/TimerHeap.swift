/// Times and what they are for, the earliest first.
///
/// An entry is never taken back: who set it looks, when it comes, whether it still means anything.
struct TimerHeap<Subject: Sendable>: Sendable {
  private struct Entry: Sendable {
    let time: UInt64
    let order: UInt64
    let subject: Subject

    func precedes(_ other: Entry) -> Bool { (time, order) < (other.time, other.order) }
  }

  private var entries: [Entry] = []
  private var order: UInt64 = 0

  /// The earliest time.
  var deadline: UInt64? { entries.first?.time }

  mutating func add(_ subject: Subject, at time: UInt64) {
    order += 1
    entries.append(Entry(time: time, order: order, subject: subject))
    var child = entries.count - 1
    while child > 0 {
      let parent = (child - 1) / 2
      guard entries[child].precedes(entries[parent]) else { break }
      entries.swapAt(child, parent)
      child = parent
    }
  }

  /// Takes the earliest subject whose time has come.
  mutating func next(now: UInt64) -> Subject? {
    guard let first = entries.first, first.time <= now else { return nil }
    let last = entries.removeLast()
    guard !entries.isEmpty else { return first.subject }
    entries[0] = last
    var parent = 0
    while true {
      var least = parent
      for child in [2 * parent + 1, 2 * parent + 2]
      where child < entries.count && entries[child].precedes(entries[least]) {
        least = child
      }
      if least == parent { return first.subject }
      entries.swapAt(parent, least)
      parent = least
    }
  }
}
