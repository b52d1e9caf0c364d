import Glibc
import Synchronization

/// Bytes that one piece of work holds, and the most it ever held.
///
/// What a run was estimated to need is compared with `peak`.
package final class MemoryAccount: Sendable {
  private let held = Atomic<Int>(0)
  private let highest = Atomic<Int>(0)

  package init() {}

  /// The most bytes held at once so far.
  package var peak: Int { highest.load(ordering: .relaxed) }

  /// Bytes held now.
  package var current: Int { held.load(ordering: .relaxed) }

  fileprivate func add(_ bytes: Int) {
    let now = held.wrappingAdd(bytes, ordering: .relaxed).newValue
    highest.max(now, ordering: .relaxed)
  }
}

/// A fixed number of float32 values in memory of their own, zero at first, aligned for vector loads.
///
/// `@unchecked Sendable`: the memory is the object's alone and lives as long as it; who shares one between threads
/// gives each thread a range of its own, or only reads. Every use in this plugin follows that rule: parameters are
/// written by one optimiser step while no other thread reads them, workspaces belong to one shard.
@safe package final class Floats: @unchecked Sendable {
  /// How many values.
  package let count: Int

  /// The first of them; valid while the object lives, which the user of the pointer must see to.
  package let start: UnsafeMutablePointer<Float>

  private let account: MemoryAccount?

  /// `count` zeros.
  ///
  /// - Parameters:
  ///   - count: 0 or more.
  ///   - account: Is told of the bytes, until the object goes.
  package init(_ count: Int, _ account: MemoryAccount? = nil) {
    self.count = count
    self.account = account
    let raw = UnsafeMutableRawPointer.allocate(
      byteCount: max(count, 1) * MemoryLayout<Float>.stride,
      alignment: 64
    )
    unsafe start = raw.initializeMemory(as: Float.self, repeating: 0, count: max(count, 1))
    account?.add(count * MemoryLayout<Float>.stride)
  }

  deinit {
    unsafe UnsafeMutableRawPointer(start).deallocate()
    account?.add(-count * MemoryLayout<Float>.stride)
  }

  /// One value; the index is checked.
  package subscript(_ index: Int) -> Float {
    get {
      precondition(index >= 0 && index < count, "index \(index) of \(count) floats")
      return unsafe start[index]
    }
    set {
      precondition(index >= 0 && index < count, "index \(index) of \(count) floats")
      unsafe start[index] = newValue
    }
  }

  /// Sets all to zero.
  package func clear() { unsafe start.update(repeating: 0, count: count) }

  /// Takes over the values of `other`, which has as many.
  package func copy(from other: Floats) {
    precondition(other.count == count, "\(other.count) floats do not fit \(count)")
    unsafe start.update(from: other.start, count: count)
  }

  /// The values as an array.
  package var array: [Float] { unsafe Array(UnsafeBufferPointer(start: start, count: count)) }

  /// Takes over `values`, of which there are `count`.
  package func set(_ values: [Float]) {
    precondition(values.count == count, "\(values.count) values do not fit \(count)")
    unsafe start.update(from: values, count: count)
  }
}
