/// One connection between two peers: the handshake, and encrypted frames after it.
///
/// On the connection, in each direction: one byte of version (another one is refused before any key is touched), then Noise
/// messages, each behind two bytes of length (Noise, section 13). The first three are `PeerHandshake`'s; each later one
/// carries frames or pieces of frames. A message here carries one whole frame, so that on the wire all cells have one
/// length. The initiator holds the link for established when the other's first message opens: only then has the other let it in.
///
/// Bytes and `now` in, events and bytes out. After a `LinkClosure` the value is of no more use.
package struct Link: Sendable {
  /// What a link tells.
  package enum Event: Equatable, Sendable {
    /// The other is proven and let in.
    case established(PeerRecord)
    /// A cell of the private overlay; `Cell.size` bytes.
    case cell([UInt8])
    /// Cover came.
    case padding
    /// The other asks.
    case called(stream: UInt32, method: String, CallContent)
    /// An own call has ended.
    case answered(call: UInt64, CallResult)
  }

  enum Phase: Sendable {
    case handshaking
    /// The initiator has said all, and waits whether the other takes it.
    case proving
    case open
  }

  /// Bytes of the longest handshake message: record, proof, keys and tags fit well.
  static let handshakeSizeLimit = 1024
  /// Cells that go before the next part of a body, which is as long as so many cells.
  private static let cellsPerBody = 32

  /// Whether this side has dialled.
  package let isInitiator: Bool
  /// Whom it has dialled.
  let expecting: PeerID?
  let settings: LinkSettings
  /// When `advance` has to be called again, in monotonic nanoseconds.
  package var deadline: UInt64? { nextDeadline() }

  var phase = Phase.handshaking
  var handshake: PeerHandshake
  var handshakeDeadline: UInt64
  var sender: LinkCipher?
  var receiver: LinkCipher?
  var input: [UInt8] = []
  var hasVersion = false
  var output: [UInt8] = []
  var decoder = HTXFrameDecoder()
  var control: [HTXFrame] = []
  var liveness: Liveness
  var streams: CallStreams
  private(set) var cells = CellQueue()
  private var cellsSinceBody = 0
  private var cover: CoverTraffic?
  // Bytes with the loop that are not written yet.
  private var queued = 0

  /// What passed; bytes and cells of this link.
  package internal(set) var counts = LinkCounts()
  /// The other, once established.
  package internal(set) var remote: PeerRecord?
  /// When it was established.
  package internal(set) var establishedAt: UInt64 = 0

  /// Begins a link on a connection that has just been made.
  ///
  /// - Parameters:
  ///   - isInitiator: Whether this side has dialled.
  ///   - identity: Of this peer.
  ///   - record: Its current record.
  ///   - expecting: Who must answer, where this side has dialled a peer that it knows.
  ///   - networkSecret: Of the network, where there is one.
  ///   - invitation: The secret of an invitation that this side redeems.
  ///   - settings: Limits.
  ///   - cover: Nanoseconds from cell to cell, cover included; `nil` for no cover.
  ///   - now: The moment.
  package init(
    isInitiator: Bool,
    identity: Identity,
    record: PeerRecord,
    expecting: PeerID?,
    networkSecret: [UInt8]?,
    invitation: [UInt8]?,
    settings: LinkSettings,
    cover: UInt64?,
    now: Moment
  ) {
    self.isInitiator = isInitiator
    self.expecting = expecting
    self.settings = settings
    handshake = PeerHandshake(
      isInitiator: isInitiator,
      identity: identity,
      record: record,
      carrier: .tcp,
      networkSecret: networkSecret,
      invitation: isInitiator ? invitation : nil
    )
    handshakeDeadline = now.monotonic + settings.handshakeLimit
    liveness = Liveness(settings: settings, now: now.monotonic)
    streams = CallStreams(isInitiator: isInitiator, settings: settings)
    self.cover = cover.map { CoverTraffic(interval: $0, now: now.monotonic) }
    if isInitiator { begin() }
  }

  /// The round trip, once a ping was answered.
  package var roundTrip: RoundTrip? { liveness.roundTrip }
  /// Whether own calls can be begun.
  var isExhausted: Bool { streams.isExhausted && streams.count == 0 }

  /// Takes what has to be written to the connection, in order.
  package mutating func takeOutput() -> [UInt8] {
    defer { output = [] }
    queued += output.count
    return output
  }

  /// Takes note that so many bytes have left for the connection; more may be given now.
  package mutating func wrote(_ count: Int, now: Moment) {
    queued = max(0, queued - count)
    flush(now: now.monotonic)
  }

  /// Whether there was room for a cell to be sent.
  mutating func send(cell: [UInt8], circuit: UInt32) -> Bool {
    cells.append(cell, circuit: circuit)
  }

  /// Forgets cells of a circuit that is over.
  mutating func discard(circuit: UInt32) { cells.discard(circuit: circuit) }

  /// Does what is due.
  ///
  /// - Parameter now: The moment.
  /// - Returns: Calls that are over.
  /// - Throws: When the link is over.
  package mutating func advance(now: Moment) throws(LinkClosure) -> [Event] {
    let now = now.monotonic
    guard phase == .open else {
      guard now < handshakeDeadline else { throw .timeout }
      return []
    }
    if let ping = try liveness.advance(now: now) { control.append(ping) }
    let events = streams.expire(now: now).map(Event.init)
    if cells.isEmpty, cover?.isDue(now: now) == true, hasRoom {
      write(HTXFrame(stream: 0, kind: .padding, payload: [UInt8](repeating: 0, count: Cell.size)))
      counts.paddingOut += 1
      cover?.sent(now: now)
    }
    flush(now: now)
    return events
  }

  /// Ends the link's calls.
  mutating func end() -> [Event] { streams.lose().map(Event.init) }

  /// Seals what waits, as long as the connection keeps up.
  mutating func flush(now: UInt64) {
    guard phase == .open else { return }
    while hasRoom, let frame = nextFrame() {
      write(frame)
      if frame.stream == 0, frame.kind == .data {
        counts.cellsOut += 1
        cover?.sent(now: now)
      }
    }
  }

  private var hasRoom: Bool { queued + output.count < settings.queueLimit }

  private mutating func nextFrame() -> HTXFrame? {
    if !control.isEmpty { return control.removeFirst() }
    if let frame = streams.nextControl() { return frame }
    if cells.isEmpty || cellsSinceBody >= Self.cellsPerBody, let frame = streams.nextBody() {
      cellsSinceBody = 0
      return frame
    }
    guard let cell = cells.next() else { return nil }
    cellsSinceBody += 1
    return HTXFrame(stream: 0, kind: .data, payload: cell)
  }

  /// Seals a frame, and changes the key first where that is due.
  mutating func write(_ frame: HTXFrame) {
    guard var cipher = sender else { preconditionFailure("frames come after the handshake") }
    if cipher.isDue {
      frameMessage(cipher.seal(HTXFrame(stream: 0, kind: .keyUpdate, payload: []).bytes))
      cipher.rekey()
      counts.keyUpdates += 1
    }
    frameMessage(cipher.seal(frame.bytes))
    sender = cipher
  }

  /// Appends a Noise message behind its length.
  mutating func frameMessage(_ message: [UInt8]) {
    output.append(UInt8(message.count >> 8))
    output.append(UInt8(truncatingIfNeeded: message.count))
    output += message
    counts.bytesOut += UInt64(message.count + 2)
  }

  private func nextDeadline() -> UInt64? {
    guard phase == .open else { return handshakeDeadline }
    var next = liveness.deadline
    if let calls = streams.deadline { next = min(next, calls) }
    // A full queue is emptied by `wrote`; cover that has no room waits for it.
    if let cover, hasRoom { next = min(next, cover.deadline) }
    return next
  }
}

/// What passed a link.
package struct LinkCounts: Sendable, Equatable {
  package internal(set) var bytesIn: UInt64 = 0
  package internal(set) var bytesOut: UInt64 = 0
  package internal(set) var cellsIn: UInt64 = 0
  package internal(set) var cellsOut: UInt64 = 0
  package internal(set) var paddingIn: UInt64 = 0
  package internal(set) var paddingOut: UInt64 = 0
  package internal(set) var keyUpdates: UInt64 = 0
}

extension Link.Event {
  var endsCall: Bool { if case .answered = self { true } else { false } }

  init(_ event: CallStreams.Event) {
    switch event {
    case .called(let stream, let method, let body):
      self = .called(stream: stream, method: method, body)
    case .answered(let call, let result): self = .answered(call: call, result)
    }
  }
}
