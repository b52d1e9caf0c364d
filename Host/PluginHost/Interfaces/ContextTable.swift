import CGatewayPlugin
import Synchronization

/// The live plugin instances of the process, by the number that each passes to the host.
///
/// A number is a slot and a generation, so that a context from before a destroy is found to be gone. Looking one up
/// takes no lock: it is the first step of every answer.
enum ContextTable {
  /// Instances alive at once.
  static let capacity = 256

  private struct Slot: ~Copyable {
    /// The whole context number; 0 while the slot is free or reserved.
    let stamp = Atomic<UInt64>(0)
    let instance = Atomic<UInt>(0)
  }

  private struct Reservations {
    var free = Array((0..<ContextTable.capacity).reversed())
    var generations = Array(repeating: UInt64(0), count: ContextTable.capacity)
  }

  // Unchecked: the memory is made once, never freed, and holds nothing but atomics.
  private nonisolated(unsafe) static let slots: UnsafeMutablePointer<Slot> = {
    let slots = UnsafeMutablePointer<Slot>.allocate(capacity: capacity)
    for index in 0..<capacity { unsafe (slots + index).initialize(to: Slot()) }
    return unsafe slots
  }()
  private static let reservations = Mutex(Reservations())

  /// A number for an instance about to be made; `nil` when `capacity` are alive.
  static func reserve() -> UInt64? {
    reservations.withLock { reservations in
      guard let index = reservations.free.popLast() else { return nil }
      reservations.generations[index] += 1
      return reservations.generations[index] << 32 | UInt64(index)
    }
  }

  /// From here on, the context finds `instance`.
  static func bind(_ context: UInt64, to instance: PluginInstance) {
    // Kept for ever: a call that looked the instance up just before `release` may still be reading it. What an
    // instance holds is dropped at its destroy; what stays is a few hundred bytes for each load.
    let kept = unsafe Unmanaged.passRetained(instance)
    let address = unsafe UInt(bitPattern: kept.toOpaque())
    let index = Int(context & 0xFFFF_FFFF)
    unsafe slots[index].instance.store(address, ordering: .relaxed)
    unsafe slots[index].stamp.store(context, ordering: .releasing)
  }

  /// Ends the context: whoever still passes it is told that it is gone.
  static func release(_ context: UInt64) {
    let index = Int(context & 0xFFFF_FFFF)
    unsafe slots[index].stamp.store(0, ordering: .sequentiallyConsistent)
    reservations.withLock { $0.free.insert(index, at: 0) }
  }

  /// Calls `body` with the instance of `context`; gives `gone` when there is none.
  @inline(__always)
  static func with<Result>(
    _ context: gw_context,
    gone: Result,
    _ body: (PluginInstance) -> Result
  ) -> Result {
    let index = Int(context.v & 0xFFFF_FFFF)
    guard context.v != 0, index < capacity,
      unsafe slots[index].stamp.load(ordering: .acquiring) == context.v
    else { return gone }
    let address = unsafe slots[index].instance.load(ordering: .acquiring)
    // The slot may have been given to another instance between the two loads.
    guard unsafe slots[index].stamp.load(ordering: .relaxed) == context.v,
      let pointer = unsafe UnsafeRawPointer(bitPattern: address)
    else { return gone }
    return unsafe Unmanaged<PluginInstance>.fromOpaque(pointer)._withUnsafeGuaranteedRef {
      body($0)
    }
  }
}
