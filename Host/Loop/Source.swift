/// Something that waits on a loop: a socket, a listener, or only a deadline.
///
/// Belongs to one loop and is touched on its thread alone; not `Sendable`, so the compiler checks that.
package class Source {
  /// The loop's name for this source: slot in the low half, generation in the high one.
  package final fileprivate(set) var token: UInt64 = 0
  /// When `expired` is due, on the loop's clock; `.max` for never.
  fileprivate final var deadline = Int64.max
  /// The time of this source's entry in the loop's heap; `.max` when it has none.
  fileprivate final var armed = Int64.max

  package init() {}

  /// The descriptor is ready for `events` (`EPOLLIN` and so on).
  package func ready(_ events: UInt32) {}

  /// The deadline has passed; it is not set any more.
  package func expired() {}

  /// The slot this source occupies.
  package final var slot: Int { Int(token & 0xFFFF_FFFF) }
}

/// The sources of one loop by slot, with their deadlines.
///
/// A slot is reused with a higher generation, so that an event already fetched for a closed
/// descriptor does not reach the one that got its number.
struct Sources {
  private var slots: [Source?] = []
  private var generations: [UInt32] = []
  private var free: [Int] = []
  private var heap = DeadlineHeap()

  /// How many sources there are.
  var count: Int { slots.count - free.count }

  var slotCount: Int { slots.count }

  mutating func add(_ source: Source) {
    let slot: Int
    if let reused = free.popLast() {
      slot = reused
      slots[slot] = source
    } else {
      slot = slots.count
      slots.append(source)
      generations.append(0)
    }
    source.token = UInt64(generations[slot]) << 32 | UInt64(slot)
  }

  mutating func remove(_ source: Source) {
    let slot = source.slot
    precondition(slots[slot] === source, "a source was removed twice")
    slots[slot] = nil
    generations[slot] &+= 1  // an event already fetched must not reach the slot's next source
    free.append(slot)
    source.deadline = .max
    source.armed = .max
  }

  /// Puts `other` into the slot, token and descriptor of `source`.
  mutating func replace(_ source: Source, with other: Source) {
    precondition(slots[source.slot] === source, "a source was replaced that is not there")
    other.token = source.token
    slots[source.slot] = other
    source.deadline = .max
    source.armed = .max
  }

  subscript(token: UInt64) -> Source? {
    let slot = Int(token & 0xFFFF_FFFF)
    guard slot < slots.count, generations[slot] == UInt32(token >> 32) else { return nil }
    return slots[slot]
  }

  subscript(slot slot: Int) -> Source? { slot < slots.count ? slots[slot] : nil }

  mutating func setDeadline(_ source: Source, at time: Int64) {
    source.deadline = time
    // A later deadline costs nothing now: the entry there is looks again when its time has come.
    guard time < source.armed else { return }
    source.armed = time
    heap.push(DeadlineHeap.Entry(time: time, token: source.token))
  }

  /// The earliest time at which a deadline may be due, `nil` when there is none.
  var nextDeadline: Int64? { heap.first?.time }

  /// The next source whose deadline is at or before `now`.
  mutating func popExpired(now: Int64) -> Source? {
    while let entry = heap.first, entry.time <= now {
      heap.removeFirst()
      guard let source = self[entry.token], source.armed == entry.time else { continue }
      source.armed = .max
      if source.deadline <= now {
        source.deadline = .max
        return source
      }
      if source.deadline != .max { setDeadline(source, at: source.deadline) }
    }
    return nil
  }
}
