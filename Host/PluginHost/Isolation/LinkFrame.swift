/// One message between the gateway and a plugin's process.
struct LinkFrame: Sendable, Equatable {
  /// What it is about; the numbers are what goes over the link.
  enum Kind: UInt8, Sendable, CaseIterable {
    // From the gateway.
    case load = 1
    case step, request, body, cancel, taken, end, answer, event, serve, called, check, round, jobs
    case ping

    // From the plugin's process.
    case loaded = 65
    case stepped, declare, publish, call, reply, fail, respond, start, write, finish, abort
    case returned, refused, consumed, complete, report, log, record, jobBegan, jobEnded
    case delivered, pong

    var isFromGateway: Bool { rawValue < 64 }

    /// Bytes of one payload.
    var limit: Int {
      switch self {
      case .step, .request, .body: 1 << 30
      case .stepped, .reply, .fail, .respond, .write: LinkFrame.maxAnswerBytes
      case .event, .serve, .called, .publish, .call, .complete: 17 << 20
      case .load: 1 << 20
      case .declare, .start, .report, .log, .record: 1 << 19
      case .loaded: 1 << 16
      default: 1 << 13
      }
    }
  }

  enum Fault: Error, Equatable {
    case unknownKind(UInt8)
    case wrongDirection(Kind)
    case tooLong(Kind, Int)
    /// The payload ends inside a value, or goes on behind the last.
    case badLength
    /// A value that its kind does not allow.
    case badValue
  }

  /// Bytes of one answer, or of one part of a streamed one, or of a state.
  static let maxAnswerBytes = 257 << 20
  /// Length of the payload, four bytes, and kind.
  static let headerBytes = 5

  let kind: Kind
  let payload: [UInt8]

  /// Reads the payload's values.
  ///
  /// - Parameter body: Its spans point into the payload and are valid for the call.
  /// - Returns: What `body` gave.
  /// - Throws: `Fault` when the payload is not exactly what `body` reads.
  func read<Result>(
    _ body: (inout FrameReader) throws(Fault) -> Result
  ) throws(Fault) -> Result {
    unsafe try payload.withUnsafeBufferPointer { (bytes) throws(Fault) in
      var reader = unsafe FrameReader(bytes)
      let result = try body(&reader)
      try reader.end()
      return result
    }
  }
}

/// Cuts the bytes of a link into frames.
///
/// What is promised is not believed: memory grows with the bytes that come, never with the length they announce.
struct FrameDecoder {
  /// Whose frames these are.
  let isFromGateway: Bool
  private var bytes: [UInt8] = []
  private var start = 0

  init(isFromGateway: Bool) { self.isFromGateway = isFromGateway }

  /// Takes what has come.
  mutating func append(_ more: ArraySlice<UInt8>) {
    if start == bytes.count {
      bytes.removeAll(keepingCapacity: bytes.capacity < 1 << 20)
      start = 0
    } else if start > max(1 << 20, bytes.count - start) {
      bytes.removeFirst(start)
      start = 0
    }
    bytes += more
  }

  /// The next whole frame; `nil` when more bytes are needed.
  ///
  /// - Throws: `LinkFrame.Fault`; nothing that follows can be read.
  mutating func next() throws(LinkFrame.Fault) -> LinkFrame? {
    guard bytes.count - start >= LinkFrame.headerBytes else { return nil }
    let number = bytes[start + 4]
    guard let kind = LinkFrame.Kind(rawValue: number) else { throw .unknownKind(number) }
    guard kind.isFromGateway == isFromGateway else { throw .wrongDirection(kind) }
    let length = (0..<4).reduce(0) { $0 | Int(bytes[start + $1]) << (8 * $1) }
    guard length <= kind.limit else { throw .tooLong(kind, length) }
    let first = start + LinkFrame.headerBytes
    guard bytes.count - first >= length else { return nil }
    start = first + length
    return LinkFrame(kind: kind, payload: Array(bytes[first..<start]))
  }
}
