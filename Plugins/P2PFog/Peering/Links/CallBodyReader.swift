/// A body that arrives: what was announced, what came, and how much more may come.
struct CallBodyReader: Sendable {
  private let json: Int
  private let total: Int
  private var bytes: [UInt8] = []
  // Bytes of DATA that the other may still send.
  private var window: Int

  init(json: Int, bytes count: Int) {
    self.json = json
    total = json + count
    window = CallBodyWriter.initialWindow
  }

  var isComplete: Bool { bytes.count == total }
  /// All that is announced; what it may cost.
  var size: Int { total }
  /// What has to be granted for the whole to come.
  var missingWindow: Int { max(0, total - bytes.count - window) }

  mutating func grant(_ count: Int) { window += count }

  mutating func append(_ more: [UInt8]) throws(MalformedPacket) {
    guard bytes.count + more.count <= total else {
      throw MalformedPacket("has more of a body than was announced")
    }
    guard more.count <= window else { throw MalformedPacket("ignores the window of its stream") }
    window -= more.count
    bytes += more
  }

  var body: CallContent { CallContent(json: Array(bytes[..<json]), bytes: Array(bytes[json...])) }
}

/// A body that leaves: what is announced first, and DATA as the window allows.
struct CallBodyWriter: Sendable {
  /// Bytes of DATA that may be sent on a new stream, in each direction.
  static let initialWindow = 64 << 10
  /// Bytes of one DATA frame; small enough that a cell between two of them waits for microseconds.
  static let piece = 16 << 10

  private var head: [UInt8]?
  private let bytes: [UInt8]
  private var position = 0
  private var window = initialWindow

  init(_ head: CallControl, _ body: CallContent) {
    self.head = head.payload
    bytes = body.json + body.bytes
  }

  var size: Int { bytes.count }
  var isComplete: Bool { head == nil && position == bytes.count }
  var isReady: Bool { head != nil || (position < bytes.count && window > 0) }

  mutating func widen(_ count: Int) throws(MalformedPacket) {
    // As RFC 9113, section 6.9.1: no window above 2^31 - 1.
    guard count > 0, window + count <= Int(Int32.max) else {
      throw MalformedPacket("opens a window by \(count)")
    }
    window += count
  }

  mutating func next(_ stream: UInt32) -> HTXFrame {
    if let head {
      self.head = nil
      return HTXFrame(stream: stream, kind: .control, payload: head)
    }
    let end = min(bytes.count, position + min(Self.piece, window))
    defer {
      window -= end - position
      position = end
    }
    return HTXFrame(stream: stream, kind: .data, payload: Array(bytes[position..<end]))
  }
}
