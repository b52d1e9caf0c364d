import GatewayPlugin
import PluginStorage
import Synchronization

/// The log of one job on its way to the coordinator; used by the job's thread alone.
///
/// All streams share one numbering of bytes: what is sent begins at the offset up to which the coordinator has it, so a
/// piece sent twice is kept once.
package final class LeaseLog {
  /// Where a stretch of the log came from.
  package enum Stream: String, Sendable {
    case stdout, stderr
    /// This node's own lines.
    case node
  }

  /// Bytes of one call.
  static let piece = 64 << 10
  /// Bytes held here; beyond, what the command writes waits in its pipe.
  static let maxHeld = 1 << 20
  /// Nanoseconds before a piece is tried again.
  static let pause: UInt64 = 250_000_000

  /// A piece on its way on another thread.
  private enum Flight {
    case none
    case under
    case landed(Result<CallBody?, any Error>)
  }

  private let calls: LeaseCalls
  private let submit: @Sendable (@escaping @Sendable () -> Void) throws -> Void
  private let limit: Int
  private let flight = Box()

  /// What the other thread writes and this one reads.
  private final class Box: Sendable {
    let state = Mutex<Flight>(.none)
  }

  private var held: [(stream: Stream, bytes: [UInt8])] = []
  private var heldBytes = 0
  /// Bytes that the coordinator has.
  package private(set) var offset = 0
  private var taken = 0
  private var isCut = false
  private var nextTry: UInt64 = 0

  /// An empty log.
  ///
  /// - Parameters:
  ///   - calls: To the coordinator.
  ///   - submit: Runs something short on another thread.
  ///   - limit: Bytes that are kept; what comes then is dropped, and one line of the node's says so.
  package init(
    _ calls: LeaseCalls,
    submit: @escaping @Sendable (@escaping @Sendable () -> Void) throws -> Void,
    limit: Int
  ) {
    self.calls = calls
    self.submit = submit
    self.limit = limit
  }

  /// Whether no more should be added before something was sent.
  package var isFull: Bool { heldBytes >= Self.maxHeld }

  /// Adds bytes.
  package func add(_ stream: Stream, _ bytes: some Collection<UInt8>) {
    guard !bytes.isEmpty, !isCut else { return }
    let fitting = Array(bytes.prefix(limit - taken))
    hold(stream, fitting)
    guard fitting.count < bytes.count else { return }
    isCut = true
    hold(.node, Array("The log is cut here: the job may have \(limit) bytes of it.\n".utf8))
  }

  /// Adds a line of this node's.
  package func note(_ line: String) { add(.node, Array((line + "\n").utf8)) }

  private func hold(_ stream: Stream, _ bytes: [UInt8]) {
    guard !bytes.isEmpty else { return }
    taken += bytes.count
    heldBytes += bytes.count
    if let last = held.indices.last, held[last].stream == stream,
      held[last].bytes.count + bytes.count <= Self.piece
    {
      held[last].bytes += bytes
      return
    }
    var rest = bytes[...]
    while !rest.isEmpty {
      held.append((stream, Array(rest.prefix(Self.piece))))
      rest = rest.dropFirst(Self.piece)
    }
  }

  /// Sends a piece on another thread, if there is one and none is under way, and takes over how the one before ended.
  ///
  /// Never waits: whoever watches a program looks at its limits also while the coordinator is slow.
  ///
  /// - Throws: `LeaseStopped`, `CallFailure.refused`.
  package func sendSoon() throws {
    guard try land(), let first = held.first, Clock.monotonic() >= nextTry else { return }
    flight.state.withLock { $0 = .under }
    let (calls, offset, flight) = (calls, offset, flight)
    do {
      try submit {
        let result = Result { try Self.send(first.stream, first.bytes, offset, calls) }
        flight.state.withLock { $0 = .landed(result) }
      }
    } catch {
      // No thread is free.
      flight.state.withLock { $0 = .none }
      nextTry = Clock.monotonic() + Self.pause
    }
  }

  private static func send(
    _ stream: Stream,
    _ bytes: [UInt8],
    _ offset: Int,
    _ calls: LeaseCalls
  ) throws -> CallBody? {
    try calls.askOnce(
      "fog.log",
      [
        .init(name: "offset", value: .integer(Int64(offset))),
        .init(name: "stream", value: .string(stream.rawValue)),
      ],
      bytes: bytes
    )
  }

  /// Takes over how the piece under way ended; false while it has not.
  private func land() throws -> Bool {
    let landed = flight.state.withLock { flight in
      let before = flight
      if case .landed = before { flight = .none }
      return before
    }
    switch landed {
    case .none: return true
    case .under: return false
    case .landed(let result):
      try take(try result.get())
      return true
    }
  }

  private func take(_ answer: CallBody?) throws {
    guard let answer else {
      nextTry = Clock.monotonic() + Self.pause
      return
    }
    guard let told = answer.json["offset"]?.asInteger, (0...offset + heldBytes).contains(Int(told))
    else { throw NodeFault("the coordinator answered fog.log with no offset of the log") }
    drop(upTo: Int(told))
  }

  /// Takes over how much the coordinator has.
  private func drop(upTo told: Int) {
    var known = min(max(0, told - offset), heldBytes)
    // What was sent before and is asked for again is not here any more; the numbering goes on where it is wanted.
    offset = told < offset ? told : offset + known
    heldBytes -= known
    while known > 0, let first = held.first {
      if first.bytes.count <= known {
        known -= first.bytes.count
        held.removeFirst()
      } else {
        held[0].bytes.removeFirst(known)
        known = 0
      }
    }
  }

  /// Sends everything; returns when the coordinator has it.
  ///
  /// - Throws: `LeaseStopped`, `CallFailure.refused`.
  package func sendAll() throws {
    while true {
      try calls.checkStop()
      if try land() {
        guard let first = held.first else { return }
        try take(try Self.send(first.stream, first.bytes, offset, calls))
      }
      while Clock.monotonic() < nextTry { try calls.rest(milliseconds: 20) }
    }
  }
}
