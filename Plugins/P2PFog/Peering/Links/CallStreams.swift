/// The calls of one link: questions and answers on streams of their own.
///
/// The side that has opened the link uses odd streams, the other one even ones, each rising (RFC 9113, section 5.1.1). Every
/// direction of a stream has a window (section 5.2): `CallBodyWriter.initialWindow` at first, and the rest of the announced
/// body as soon as the receiver's allowance has room, so a receiver holds no more than it wanted to. Frames of streams that
/// are over are passed over: they crossed the end on their way. All else that does not fit ends the link.
struct CallStreams: Sendable {
  enum Event: Equatable, Sendable {
    case called(stream: UInt32, method: String, CallContent)
    case answered(call: UInt64, CallResult)
  }

  private let settings: LinkSettings
  private let ownParity: UInt32
  private var nextOwn: UInt32
  private var highestOther: UInt32 = 0
  private var streams: [UInt32: CallStream] = [:]
  // Streams with something to send, in the order of their turns.
  private var ready: [UInt32] = []
  // Streams whose bodies wait for room, oldest first.
  private var ungranted: [UInt32] = []
  /// Frames that go before all bodies.
  private(set) var control: [HTXFrame] = []

  /// Streams of a link; the first one of this side is another than the protocol's in tests alone.
  init(isInitiator: Bool, settings: LinkSettings, nextOwn: UInt32? = nil) {
    self.settings = settings
    self.nextOwn = nextOwn ?? (isInitiator ? 1 : 2)
    ownParity = isInitiator ? 1 : 0
  }

  /// Calls that have not ended, of both sides.
  var count: Int { streams.count }
  /// Whether there are no numbers left for own calls.
  var isExhausted: Bool { nextOwn > HTXFrame.streamLimit }
  /// When `expire` has something to do.
  var deadline: UInt64? { streams.values.compactMap(\.deadline).min() }

  // MARK: What this side does

  /// Begins a call.
  mutating func open(_ call: UInt64, _ method: String, _ body: CallContent, deadline: UInt64)
    throws(CallRefusal)
  {
    guard CallControl.isMethod(method) else {
      throw CallRefusal(code: "BAD_METHOD", message: "A method is [a-z][a-z0-9_.]{0,63}.")
    }
    guard body.isWithinLimits else {
      throw CallRefusal(
        code: "TOO_LARGE",
        message: "A call carries at most \(CallContent.jsonLimit) bytes of JSON and"
          + " \(CallContent.bytesLimit) bytes beside it."
      )
    }
    guard !isExhausted, streams.keys.count(where: isOwn) < settings.callLimit,
      sending(own: true) + body.count <= settings.callBytes
    else {
      throw CallRefusal(code: "BUSY", message: "Too many calls to this peer are open; try later.")
    }
    let head = CallControl.request(method: method, json: body.json.count, bytes: body.bytes.count)
    streams[nextOwn] = CallStream(
      call: call,
      method: method,
      writer: CallBodyWriter(head, body),
      deadline: deadline
    )
    ready.append(nextOwn)
    nextOwn += 2
  }

  /// Answers a call of the other's.
  ///
  /// - Returns: Whether the call still waited for it.
  mutating func answer(
    _ stream: UInt32,
    _ answer: Result<CallContent, CallRefusal>,
    now: UInt64
  ) -> Bool {
    guard !isOwn(stream), var served = streams[stream], served.reader == nil, served.writer == nil
    else { return false }
    switch answer {
    case .failure(let refusal): refuse(stream, refusal)
    case .success(let body):
      guard body.isWithinLimits else {
        let message = "The answer is larger than a call carries."
        refuse(stream, CallRefusal(code: "TOO_LARGE", message: message))
        return true
      }
      guard sending(own: false) + body.count <= settings.callBytes else {
        let message = "Too many answers wait to be sent to you; try later."
        refuse(stream, CallRefusal(code: "BUSY", message: message))
        return true
      }
      let head = CallControl.answer(json: body.json.count, bytes: body.bytes.count)
      served.writer = CallBodyWriter(head, body)
      served.deadline = now + settings.bodyLimit
      streams[stream] = served
      ready.append(stream)
    }
    return true
  }

  /// The next frame of control, if there is one.
  mutating func nextControl() -> HTXFrame? { control.isEmpty ? nil : control.removeFirst() }

  /// The next frame of a body, each stream in turn; `nil` when there is none, or no window for it.
  mutating func nextBody() -> HTXFrame? {
    while !ready.isEmpty {
      let stream = ready.removeFirst()
      guard var writer = streams[stream]?.writer, writer.isReady else { continue }
      let frame = writer.next(stream)
      streams[stream]?.writer = writer
      if writer.isReady {
        ready.append(stream)
      } else if writer.isComplete {
        streams[stream]?.writer = nil
        if !isOwn(stream) { end(stream) }
      }
      return frame
    }
    return nil
  }

  /// Gives up what is too late.
  mutating func expire(now: UInt64) -> [Event] {
    var events: [Event] = []
    for (stream, call) in streams.sorted(by: { $0.key < $1.key }) {
      guard let deadline = call.deadline, deadline <= now else { continue }
      if isOwn(stream) {
        end(stream)
        send(.cancel, on: stream)
        events.append(.answered(call: call.call, .timedOut))
      } else {
        refuse(stream, CallRefusal(code: "TIMEOUT", message: "The body took too long."))
      }
    }
    return events
  }

  /// Ends all calls: the link is gone.
  mutating func lose() -> [Event] {
    let lost = streams.filter { isOwn($0.key) }.sorted { $0.key < $1.key }
    streams = [:]
    ready = []
    ungranted = []
    control = []
    return lost.map { .answered(call: $0.value.call, .lost) }
  }

  // MARK: What the other side does

  /// Takes a frame of a stream other than 0.
  mutating func receive(_ frame: HTXFrame, now: UInt64) throws(MalformedPacket) -> Event? {
    guard streams[frame.stream] != nil else {
      try begin(frame, now: now)
      return finish(frame.stream)
    }
    switch frame.kind {
    case .control: return try control(CallControl(frame.payload), on: frame.stream)
    case .data:
      guard streams[frame.stream]?.reader != nil else {
        throw MalformedPacket("has a body where none was announced")
      }
      try streams[frame.stream]?.reader?.append(frame.payload)
      return finish(frame.stream)
    case .window:
      try widen(frame)
      return nil
    case .keyUpdate, .ping, .padding:
      throw MalformedPacket("has a frame of the link on the stream of a call")
    }
  }

  private mutating func begin(_ frame: HTXFrame, now: UInt64) throws(MalformedPacket) {
    let isPast = isOwn(frame.stream) ? frame.stream < nextOwn : frame.stream <= highestOther
    if isPast { return }
    guard !isOwn(frame.stream), frame.kind == .control,
      case .request(let method, let json, let bytes) = try CallControl(frame.payload)
    else { throw MalformedPacket("belongs to a call that was never begun") }
    highestOther = frame.stream
    guard streams.keys.count(where: { !isOwn($0) }) < settings.callLimit else {
      let refusal = CallRefusal(
        code: "BUSY",
        message: "Too many of your calls are open; try later."
      )
      send(.refusal(refusal), on: frame.stream)
      return
    }
    streams[frame.stream] = CallStream(
      call: 0,
      method: method,
      reader: CallBodyReader(json: json, bytes: bytes),
      deadline: now + settings.bodyLimit
    )
    grant(frame.stream)
  }

  private mutating func control(
    _ control: CallControl,
    on stream: UInt32
  ) throws(MalformedPacket) -> Event? {
    guard let call = streams[stream] else { return nil }
    switch (control, isOwn(stream)) {
    case (.refusal(let refusal), true):
      end(stream)
      return .answered(call: call.call, .refused(refusal))
    case (.cancel, false):
      end(stream)
      return nil
    case (.answer(let json, let bytes), true) where call.writer == nil && call.reader == nil:
      streams[stream]?.reader = CallBodyReader(json: json, bytes: bytes)
      grant(stream)
      return finish(stream)
    default: throw MalformedPacket("has a control that does not fit the state of its call")
    }
  }

  private mutating func finish(_ stream: UInt32) -> Event? {
    guard streams[stream]?.reader?.isComplete == true, let call = streams[stream],
      let reader = call.reader
    else { return nil }
    if isOwn(stream) {
      end(stream)
      return .answered(call: call.call, .answered(reader.body))
    }
    streams[stream]?.reader = nil
    streams[stream]?.deadline = nil
    release(stream)
    return .called(stream: stream, method: call.method, reader.body)
  }

  private mutating func widen(_ frame: HTXFrame) throws(MalformedPacket) {
    var reader = ByteReader(frame.payload)
    let count = Int(try reader.number(UInt32.self))
    try reader.end()
    // A window for what has all been sent already crossed it on its way.
    guard var writer = streams[frame.stream]?.writer else { return }
    try writer.widen(count)
    streams[frame.stream]?.writer = writer
    if writer.isReady, !ready.contains(frame.stream) { ready.append(frame.stream) }
  }

  // MARK: Allowances

  private func isOwn(_ stream: UInt32) -> Bool { stream & 1 == ownParity }

  private func sending(own: Bool) -> Int {
    streams.reduce(0) { $0 + (isOwn($1.key) == own ? $1.value.writer?.size ?? 0 : 0) }
  }

  private func reserved(own: Bool) -> Int {
    streams.reduce(0) { $0 + (isOwn($1.key) == own ? $1.value.reserved : 0) }
  }

  private mutating func grant(_ stream: UInt32) {
    guard let reader = streams[stream]?.reader, reader.missingWindow > 0 else { return }
    guard reserved(own: isOwn(stream)) + reader.size <= settings.callBytes else {
      if !ungranted.contains(stream) { ungranted.append(stream) }
      return
    }
    let missing = reader.missingWindow
    ungranted.removeAll { $0 == stream }
    streams[stream]?.reserved = reader.size
    streams[stream]?.reader?.grant(missing)
    var writer = ByteWriter()
    writer.number(UInt32(missing))
    control.append(HTXFrame(stream: stream, kind: .window, payload: writer.bytes))
  }

  private mutating func release(_ stream: UInt32) {
    streams[stream]?.reserved = 0
    for waiting in ungranted { grant(waiting) }
  }

  private mutating func end(_ stream: UInt32) {
    streams[stream] = nil
    ungranted.removeAll { $0 == stream }
    for waiting in ungranted { grant(waiting) }
  }

  private mutating func refuse(_ stream: UInt32, _ refusal: CallRefusal) {
    end(stream)
    send(.refusal(refusal), on: stream)
  }

  private mutating func send(_ content: CallControl, on stream: UInt32) {
    control.append(HTXFrame(stream: stream, kind: .control, payload: content.payload))
  }
}
