package import CGatewayPlugin
import Synchronization

/// Which requests of one loop still want an answer.
///
/// A handle names a loop, a gate and a sequence number; any thread may try to claim it, and exactly
/// one claim of each step succeeds. The loop alone opens and closes gates.
// Sendable: the blocks are published once by an atomic store and never move; everything in a gate
// is atomic; `free`, `used` are touched by the loop's thread alone (`open`, `close`).
@safe package final class AnswerGates: @unchecked Sendable {
  /// What may still happen to a request.
  package enum Phase: UInt64 {
    case closed = 0
    case open = 1
    case streaming = 2
    case answered = 3
  }

  struct Gate: ~Copyable {
    /// Sequence number, and the phase in the low byte.
    let word = Atomic<UInt64>(0)
    /// Context of the plugin whose request it is.
    let owner = Atomic<UInt64>(0)
    /// Bytes of a streamed answer that the client has not taken yet.
    let waiting = Atomic<Int>(0)
    /// Bytes a streamed answer may still bring.
    let remaining = Atomic<UInt64>(.max)
    /// Whether the plugin was told to wait for `writable`.
    let wantsRoom = Atomic<Bool>(false)
  }

  private static let blockGates = 256
  private static let maxBlocks = 256
  private let loop: UInt64
  private let blocks: UnsafeMutablePointer<Atomic<UInt>>
  private var free: [UInt32] = []
  private var used = 0

  /// - Parameter loop: Index of the loop, 0...254.
  package init(loop: Int) {
    self.loop = UInt64(loop + 1)  // no handle is 0, which the contract uses for none
    unsafe blocks = .allocate(capacity: Self.maxBlocks)
    for index in 0..<Self.maxBlocks { unsafe (blocks + index).initialize(to: Atomic(0)) }
  }

  deinit {
    for index in 0..<Self.maxBlocks {
      let address = unsafe blocks[index].load(ordering: .relaxed)
      if let block = unsafe UnsafeMutablePointer<Gate>(bitPattern: address) {
        unsafe block.deinitialize(count: Self.blockGates)
        unsafe block.deallocate()
      }
    }
    unsafe blocks.deallocate()
  }

  /// The loop a handle belongs to, `nil` when no loop makes such handles.
  package static func loop(of handle: UInt64) -> Int? {
    let number = Int(handle >> 56)
    return number > 0 ? number - 1 : nil
  }

  /// The gate a handle belongs to: an index that the loop keeps its exchange under.
  package static func index(of handle: UInt64) -> Int { Int(handle >> 32 & 0xFF_FFFF) }

  // MARK: - On the loop

  /// Opens a gate for a request to the plugin of context `owner`.
  ///
  /// - Returns: Its handle, or `nil` when 65,536 requests of this loop are under way.
  package func open(owner: UInt64) -> UInt64? {
    guard let index = free.popLast() ?? makeGate(), let gate = unsafe gate(at: Int(index)) else {
      return nil
    }
    let sequence = unsafe (gate.pointee.word.load(ordering: .relaxed) >> 8 &+ 1) & 0xFFFF_FFFF
    unsafe gate.pointee.owner.store(owner, ordering: .relaxed)
    unsafe gate.pointee.waiting.store(0, ordering: .relaxed)
    unsafe gate.pointee.remaining.store(.max, ordering: .relaxed)
    unsafe gate.pointee.wantsRoom.store(false, ordering: .relaxed)
    unsafe gate.pointee.word.store(sequence << 8 | Phase.open.rawValue, ordering: .releasing)
    return loop << 56 | UInt64(index) << 32 | sequence
  }

  /// Ends what `open` began; every later claim fails.
  ///
  /// - Returns: The phase it was in.
  @discardableResult
  package func close(_ handle: UInt64) -> Phase {
    let index = Self.index(of: handle)
    guard let gate = unsafe gate(at: index) else { return .closed }
    let sequence = handle & 0xFFFF_FFFF
    let old = unsafe gate.pointee.word.exchange(sequence << 8, ordering: .acquiringAndReleasing)
    precondition(old >> 8 == sequence, "a request was closed twice")
    free.append(UInt32(index))
    return Phase(rawValue: old & 0xFF) ?? .closed
  }

  /// Makes every later claim fail, without ending what `open` began.
  ///
  /// - Returns: Whether a stream had begun, which the plugin may know before its loop does.
  package func revoke(_ handle: UInt64) -> Bool {
    guard let gate = unsafe gate(at: Self.index(of: handle)) else { return false }
    let answered = (handle & 0xFFFF_FFFF) << 8 | Phase.answered.rawValue
    let word = unsafe gate.pointee.word.exchange(answered, ordering: .acquiringAndReleasing)
    return word & 0xFF == Phase.streaming.rawValue
  }

  private func makeGate() -> UInt32? {
    let block = used / Self.blockGates
    guard block < Self.maxBlocks else { return nil }
    if used % Self.blockGates == 0 {
      let gates = UnsafeMutablePointer<Gate>.allocate(capacity: Self.blockGates)
      for index in 0..<Self.blockGates { unsafe (gates + index).initialize(to: Gate()) }
      unsafe blocks[block].store(UInt(bitPattern: gates), ordering: .releasing)
    }
    used += 1
    return UInt32(used - 1)
  }

  // MARK: - On any thread

  /// Moves a request from `phase` to `next`, if it is still there.
  ///
  /// - Returns: `GW_OK` for the one caller that may go on; `GW_E_STATE` when the request is in
  ///   another phase but alive; `GW_E_GONE` otherwise.
  package func claim(
    _ handle: UInt64,
    owner: UInt64,
    from phase: Phase,
    to next: Phase
  ) -> gw_status {
    guard let gate = unsafe gate(of: handle, owner: owner) else { return GW_E_GONE }
    let sequence = handle & 0xFFFF_FFFF
    let (isMine, _) = unsafe gate.pointee.word.compareExchange(
      expected: sequence << 8 | phase.rawValue,
      desired: sequence << 8 | next.rawValue,
      ordering: .acquiringAndReleasing
    )
    return isMine ? GW_OK : status(of: handle)
  }

  /// Counts `count` bytes that a plugin wants to send on a streamed answer.
  ///
  /// - Returns: `GW_OK`; `GW_AGAIN` when more than `mark` wait; an error when they are refused.
  package func admit(_ count: Int, to handle: UInt64, owner: UInt64, mark: Int) -> gw_status {
    guard let gate = unsafe gate(of: handle, owner: owner) else { return GW_E_GONE }
    let word = unsafe gate.pointee.word.load(ordering: .acquiring)
    guard word == (handle & 0xFFFF_FFFF) << 8 | Phase.streaming.rawValue else {
      return status(of: handle)
    }
    guard unsafe Self.spend(UInt64(count), of: gate) else { return GW_E_LIMIT }
    guard let waiting = unsafe Self.queue(count, on: gate, limit: 4 * mark) else {
      unsafe Self.giveBack(UInt64(count), to: gate)
      return GW_E_LIMIT
    }
    guard waiting > mark else { return GW_OK }
    unsafe gate.pointee.wantsRoom.store(true, ordering: .sequentiallyConsistent)
    // All may have been taken since it was counted: then nobody would say that there is room.
    let left = unsafe gate.pointee.waiting.load(ordering: .sequentiallyConsistent)
    let isMine =
      unsafe left <= mark / 2
      && gate.pointee.wantsRoom.exchange(false, ordering: .sequentiallyConsistent)
    return isMine ? GW_OK : GW_AGAIN
  }

  /// Takes `count` bytes from what an answer of known length may still bring, if they are there.
  private static func spend(_ count: UInt64, of gate: UnsafeMutablePointer<Gate>) -> Bool {
    var left = unsafe gate.pointee.remaining.load(ordering: .acquiring)
    while left != .max {
      guard count <= left else { return false }
      let (isDone, now) = unsafe gate.pointee.remaining.weakCompareExchange(
        expected: left,
        desired: left - count,
        ordering: .acquiringAndReleasing
      )
      if isDone { return true }
      left = now
    }
    return true
  }

  private static func giveBack(_ count: UInt64, to gate: UnsafeMutablePointer<Gate>) {
    guard unsafe gate.pointee.remaining.load(ordering: .acquiring) != .max else { return }
    unsafe gate.pointee.remaining.add(count, ordering: .acquiringAndReleasing)
  }

  /// Counts `count` bytes as waiting, unless more than `limit` do already.
  ///
  /// Never more than is admitted, not even for a moment: `release` would take refused bytes for
  /// waiting ones, and not say that there is room.
  ///
  /// - Returns: How many wait now; `nil` when they are refused.
  private static func queue(
    _ count: Int,
    on gate: UnsafeMutablePointer<Gate>,
    limit: Int
  ) -> Int? {
    var waiting = unsafe gate.pointee.waiting.load(ordering: .acquiring)
    while waiting <= limit {
      let (isDone, now) = unsafe gate.pointee.waiting.weakCompareExchange(
        expected: waiting,
        desired: waiting + count,
        ordering: .acquiringAndReleasing
      )
      if isDone { return waiting + count }
      waiting = now
    }
    return nil
  }

  /// Sets how many bytes a streamed answer will bring; right after the claim that started it.
  package func setLength(_ length: UInt64, of handle: UInt64) {
    guard let gate = unsafe gate(at: Self.index(of: handle)) else { return }
    unsafe gate.pointee.remaining.store(length, ordering: .releasing)
  }

  /// Bytes that an answer of known length still lacks; 0 when its length is not known.
  package func lacking(_ handle: UInt64) -> UInt64 {
    guard let gate = unsafe gate(at: Self.index(of: handle)) else { return 0 }
    let left = unsafe gate.pointee.remaining.load(ordering: .acquiring)
    return left == .max ? 0 : left
  }

  /// Counts `count` bytes as taken by the client.
  ///
  /// - Returns: Whether the plugin waits for room and there is room again; says so once.
  package func release(_ count: Int, of handle: UInt64, mark: Int) -> Bool {
    guard let gate = unsafe gate(at: Self.index(of: handle)) else { return false }
    let waiting = unsafe gate.pointee.waiting.subtract(count, ordering: .sequentiallyConsistent)
    guard waiting.newValue <= mark / 2 else { return false }
    return unsafe gate.pointee.wantsRoom.exchange(false, ordering: .sequentiallyConsistent)
  }

  private func status(of handle: UInt64) -> gw_status {
    guard let gate = unsafe gate(at: Self.index(of: handle)) else { return GW_E_GONE }
    let word = unsafe gate.pointee.word.load(ordering: .acquiring)
    guard word >> 8 == handle & 0xFFFF_FFFF else { return GW_E_GONE }
    switch Phase(rawValue: word & 0xFF) {
    case .open, .streaming: return GW_E_STATE
    case .closed, .answered, nil: return GW_E_GONE
    }
  }

  private func gate(of handle: UInt64, owner: UInt64) -> UnsafeMutablePointer<Gate>? {
    guard handle >> 56 == loop, let gate = unsafe gate(at: Self.index(of: handle)),
      unsafe gate.pointee.owner.load(ordering: .relaxed) == owner
    else { return nil }
    return unsafe gate
  }

  private func gate(at index: Int) -> UnsafeMutablePointer<Gate>? {
    let block = index / Self.blockGates
    guard block < Self.maxBlocks else { return nil }
    let address = unsafe blocks[block].load(ordering: .acquiring)
    guard let gates = unsafe UnsafeMutablePointer<Gate>(bitPattern: address) else { return nil }
    return unsafe gates + index % Self.blockGates
  }
}
