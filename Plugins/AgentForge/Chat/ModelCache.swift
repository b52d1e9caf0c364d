import Synchronization

/// Models in memory, so that an answer need not wait for the disk: the last used, within a bound of bytes.
///
/// May be called from any thread. A model is read once however many ask for it, and no one waits for a model that
/// somebody else asked for. Who holds a model keeps it, also when the cache has let go of it.
package final class ModelCache: Sendable {
  private struct Key: Hashable {
    let owner, id: String
  }

  /// A model that is there, or being read by who holds the lock.
  private final class Slot: Sendable {
    let model = Mutex<RunnableModel?>(nil)
  }

  private struct Entry {
    let slot: Slot
    var bytes: Int
    var lastUse: UInt64
  }

  private struct State {
    var entries: [Key: Entry] = [:]
    var bytes = 0
    var uses: UInt64 = 0
  }

  private let source: any ModelSource
  private let capacity: Int
  private let state = Mutex(State())

  /// An empty cache.
  ///
  /// - Parameters:
  ///   - source: Reads models.
  ///   - capacity: Bytes of models that are kept. A larger model is read anew for each answer.
  package init(_ source: any ModelSource, capacity: Int) {
    self.source = source
    self.capacity = capacity
  }

  /// Bytes of the models that are kept.
  package var bytes: Int { state.withLock(\.bytes) }

  /// A model, read if it is not there; may block for as long as that takes.
  ///
  /// - Parameters:
  ///   - id: The model's.
  ///   - owner: Who asks.
  /// - Returns: The model; `nil` when the owner has none of that id.
  /// - Throws: What the source threw; the next caller tries again.
  package func model(_ id: String, owner: String) throws -> RunnableModel? {
    let key = Key(owner: owner, id: id)
    let slot = state.withLock { state in
      state.uses += 1
      let slot = state.entries[key]?.slot ?? Slot()
      state.entries[key, default: Entry(slot: slot, bytes: 0, lastUse: 0)].lastUse = state.uses
      return slot
    }
    do {
      return try slot.model.withLock { held in
        if let held { return held }
        guard let model = try source.load(id, owner: owner) else {
          drop(key, slot)
          return nil
        }
        let ready = RunnableModel(model)
        if keep(key, slot, ready.bytes) { held = ready }
        return ready
      }
    } catch {
      drop(key, slot)
      throw error
    }
  }

  /// Lets go of a model that was deleted.
  ///
  /// - Parameter id: The model's; of all owners.
  package func forget(_ id: String) {
    state.withLock { state in
      for (key, entry) in state.entries where key.id == id {
        state.entries[key] = nil
        state.bytes -= entry.bytes
      }
    }
  }

  private func drop(_ key: Key, _ slot: Slot) {
    state.withLock { state in
      guard let entry = state.entries[key], entry.slot === slot else { return }
      state.entries[key] = nil
      state.bytes -= entry.bytes
    }
  }

  /// Counts a model that was read, and lets go of those that were not used for the longest time.
  ///
  /// - Returns: False when the model itself is not kept: too large, or forgotten meanwhile.
  private func keep(_ key: Key, _ slot: Slot, _ bytes: Int) -> Bool {
    state.withLock { state in
      guard state.entries[key]?.slot === slot else { return false }
      guard bytes <= capacity else {
        state.entries[key] = nil
        return false
      }
      state.entries[key]?.bytes = bytes
      state.bytes += bytes
      // What is being read just now counts no bytes yet, and nothing is gained by letting go of it.
      let others = state.entries.filter { $0.key != key && $0.value.bytes > 0 }
      for (key, entry) in others.sorted(by: { $0.value.lastUse < $1.value.lastUse }) {
        guard state.bytes > capacity else { break }
        state.entries[key] = nil
        state.bytes -= entry.bytes
      }
      return true
    }
  }
}
