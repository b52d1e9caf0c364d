/// One session between two peers after its handshake: keys, numbers and what was seen.
struct DatagramSession: Sendable {
  /// The other side, proven by the handshake.
  let peer: PeerID
  /// How the other addresses this session.
  let ownName: UInt32
  /// How this side addresses the other.
  let otherName: UInt32
  /// Whether this side wrote the first message.
  let isInitiator: Bool
  /// Monotonic nanoseconds.
  let openedAt: UInt64
  /// Whether the other has shown that it holds the keys; only then anything but a handshake is sent.
  var isConfirmed: Bool
  /// When the last authentic datagram came.
  private(set) var receivedAt: UInt64
  /// The number of the next datagram.
  private(set) var sent: UInt64 = 0

  private let sendKey: [UInt8]
  private let receiveKey: [UInt8]
  private var window = ReplayWindow()

  init(
    peer: PeerID,
    names: (own: UInt32, other: UInt32),
    isInitiator: Bool,
    keys: (send: [UInt8], receive: [UInt8]),
    now: UInt64
  ) {
    self.peer = peer
    ownName = names.own
    otherName = names.other
    self.isInitiator = isInitiator
    isConfirmed = !isInitiator
    sendKey = keys.send
    receiveKey = keys.receive
    openedAt = now
    receivedAt = now
  }

  /// Who wrote the first message.
  func initiator(own: PeerID) -> PeerID { isInitiator ? own : peer }

  /// The datagram of a frame.
  ///
  /// - Parameter frame: At most `Datagram.frameLimit` bytes.
  /// - Returns: At most `Datagram.sizeLimit` bytes.
  mutating func seal(_ frame: [UInt8]) -> [UInt8] {
    precondition(frame.count <= Datagram.frameLimit, "a frame of \(frame.count) bytes")
    defer { sent += 1 }
    let header = Datagram.dataHeader(receiver: otherName, number: sent)
    let nonce = NoiseSymmetricState.bytes(sent)
    return header + ChaChaPoly.seal(frame, key: sendKey, nonce: nonce, associated: header)
  }

  /// What came of a datagram.
  enum Opened: Equatable {
    /// Authentic and new; whether it is the newest so far, whose address counts.
    case frame([UInt8], isNewest: Bool)
    case dropped(DropReason)
  }

  /// Checks and opens a datagram of this session.
  mutating func open(_ datagram: [UInt8], now: UInt64) -> Opened {
    guard datagram.count >= Datagram.dataHeaderSize + ChaChaPoly.tagSize else {
      return .dropped(.malformed)
    }
    let header = Array(datagram[..<Datagram.dataHeaderSize])
    let number = header[6...].reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    // Before the decryption: a replay must cost as little as it can.
    guard window.allows(number) else { return .dropped(.replay) }
    let frame = ChaChaPoly.open(
      Array(datagram[Datagram.dataHeaderSize...]),
      key: receiveKey,
      nonce: NoiseSymmetricState.bytes(number),
      associated: header
    )
    guard let frame else { return .dropped(.forged) }
    let isNewest = number >= window.highest
    window.mark(number)
    receivedAt = now
    return .frame(frame, isNewest: isNewest)
  }
}
