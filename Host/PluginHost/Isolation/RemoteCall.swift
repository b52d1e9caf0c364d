import CGatewayPlugin
import Synchronization

/// One request at a plugin that runs in a process of its own: its steps are messages, and nothing here waits.
@safe
final class RemoteCall: RequestSteps {
  let route: PluginRoute
  let handle: UInt64
  private let plugin: IsolatedPlugin
  private let index: UInt32
  private let image: any RequestSource
  private let report: @Sendable (PluginCall.Report) -> Void
  /// The process that has the request; `nil` when none took it.
  private let process = Mutex<IsolatedProcess?>(nil)
  /// Bytes that the client has taken and the process does not know of.
  private let untold = Atomic<Int>(0)
  /// Bytes of the body that the process has and has not taken.
  private let given = Atomic<Int>(0)
  /// Parts of it that the process has and has not spoken of.
  private let parts = Atomic<Int>(0)
  private let hasAnswer = Atomic<Bool>(false)
  private let hasReturned = Atomic<Bool>(false)

  init(
    route: PluginRoute,
    handle: UInt64,
    image: any RequestSource,
    plugin: IsolatedPlugin,
    index: UInt32,
    report: @escaping @Sendable (PluginCall.Report) -> Void
  ) {
    self.route = route
    self.handle = handle
    self.image = image
    self.plugin = plugin
    self.index = index
    self.report = report
  }

  /// The body is larger than a message of the link can be.
  private func refuseLarge() {
    let message = "The body is larger than an isolated service can be given whole."
    _ = unsafe withLent(message) { message in
      unsafe HTTPInterface.table.pointee.fail(
        plugin.context,
        gw_request(v: handle),
        413,
        .empty,
        message,
        .empty,
        nil,
        0
      )
    }
  }

  func begin(on pool: WorkerPool) -> Bool {
    guard let process = plugin.admit(self) else { return true }
    self.process.withLock { $0 = process }
    unsafe image.withRequest(handle: handle) { request in
      let room = unsafe 1024 + request.pointee.body.count
      // The head is far smaller than what is left.
      guard room < LinkFrame.Kind.request.limit - (16 << 20) else { return refuseLarge() }
      process.send(.request, room: room) { frame in
        unsafe RequestFrame.write(request, route: index, to: &frame)
      }
    }
    return true
  }

  func add(_ step: PluginCall.Step, on pool: WorkerPool) {
    let process = process.withLock { $0 }
    switch step {
    case .request: break
    case .body(let bytes, let isLast):
      given.add(bytes.count, ordering: .relaxed)
      parts.add(1, ordering: .relaxed)
      process?.send(.body, room: bytes.count + 32) { frame in
        frame.add(handle)
        frame.add(isLast)
        frame.add(bytes)
      }
    case .end:
      process?.send(.end) { $0.add(handle) }
      plugin.forget(self)
      route.inFlight.subtract(1, ordering: .releasing)
    }
  }

  func cancel(_ reason: CancelReason, hasStarted: Bool) {
    process.withLock { $0 }?.send(.cancel) { frame in
      frame.add(handle)
      frame.add(reason.rawValue)
    }
  }

  /// The process counts by itself what waits, and knows when there is room.
  func tellRoom() {}

  func sent(_ count: Int) {
    let (_, total) = untold.add(count, ordering: .relaxed)
    guard total >= min(16 * 1024, route.instance.host.limits.streamBytes / 4) else { return }
    let told = untold.exchange(0, ordering: .relaxed)
    process.withLock { $0 }?.send(.taken) { frame in
      frame.add(handle)
      frame.add(UInt32(clamping: told))
    }
  }

  // MARK: - What the process says

  /// Whether the process has begun an answer.
  var isAnswered: Bool { hasAnswer.load(ordering: .relaxed) }

  func noteAnswer() { hasAnswer.store(true, ordering: .relaxed) }

  /// `request` has returned there.
  ///
  /// - Throws: When it has already.
  func returned(_ status: gw_status, error: String?) throws(LinkFrame.Fault) {
    guard !hasReturned.exchange(true, ordering: .relaxed) else { throw .badValue }
    report(.returned(status, error: error))
  }

  /// The process has taken `count` bytes of the body.
  ///
  /// - Throws: When it was not given so many.
  func consumed(_ count: Int, _ status: gw_status, error: String?) throws(LinkFrame.Fault) {
    guard given.subtract(count, ordering: .relaxed).newValue >= 0,
      parts.subtract(1, ordering: .relaxed).newValue >= 0
    else { throw .badValue }
    report(.consumed(count, status, error: error))
  }

  /// The process has no room for the request.
  func refuseBusy(_ context: gw_context) {
    let message = "The service \(plugin.id) is at its limit of waiting requests; try again shortly."
    unsafe withLent("Retry-After") { name in
      unsafe withLent("1") { value in
        var field = unsafe gw_field(name: name, value: value)
        unsafe withLent(message) { message in
          _ = unsafe HTTPInterface.table.pointee.fail(
            context,
            gw_request(v: handle),
            503,
            .empty,
            message,
            .empty,
            &field,
            1
          )
        }
      }
    }
  }
}

/// `gw_request_v1` in a frame.
enum RequestFrame {
  static func write(
    _ pointer: UnsafePointer<gw_request_v1>,
    route: UInt32,
    to frame: inout FrameBuilder
  ) {
    let request = unsafe pointer.pointee
    unsafe frame.add(request.handle.v)
    frame.add(route)
    unsafe frame.add(request.body_length)
    unsafe frame.add(request.deadline)
    unsafe frame.add(request.flags)
    unsafe frame.add(request.method)
    unsafe frame.add(request.target)
    unsafe frame.add(request.path)
    unsafe frame.add(request.query)
    unsafe frame.add(request.body)
    unsafe frame.add(request.subject)
    unsafe frame.add(request.scopes)
    unsafe frame.add(request.tier)
    unsafe frame.add(request.request_id)
    unsafe frame.add(request.trace_id)
    unsafe frame.add(request.peer)
    unsafe frame.add(
      UnsafeBufferPointer(start: request.parameters, count: request.parameter_count)
    )
    unsafe frame.add(UnsafeBufferPointer(start: request.fields, count: request.field_count))
  }

  /// Calls `use` with the request of a frame, valid for that call.
  ///
  /// - Parameters:
  ///   - frame: From the gateway, which is trusted with its contents.
  ///   - handle: In place of the gateway's.
  ///   - use: Gets the request.
  /// - Returns: What `use` gave.
  /// - Throws: When the frame is malformed.
  static func read<Result>(
    _ frame: LinkFrame,
    handle: UInt64,
    _ use: (UnsafePointer<gw_request_v1>) -> Result
  ) throws(LinkFrame.Fault) -> Result {
    try frame.read { (reader) throws(LinkFrame.Fault) in
      _ = try (reader.number(UInt64.self), reader.number(UInt32.self))
      var request = unsafe gw_request_v1()
      unsafe request.handle = gw_request(v: handle)
      unsafe request.body_length = try reader.number()
      unsafe request.deadline = try reader.number()
      unsafe request.flags = try reader.number()
      unsafe request.method = try reader.span()
      unsafe request.target = try reader.span()
      unsafe request.path = try reader.span()
      unsafe request.query = try reader.span()
      unsafe request.body = try reader.span()
      unsafe request.subject = try reader.span()
      unsafe request.scopes = try reader.span()
      unsafe request.tier = try reader.span()
      unsafe request.request_id = try reader.span()
      unsafe request.trace_id = try reader.span()
      unsafe request.peer = try reader.span()
      let parameters = unsafe try reader.fields(most: 1024)
      let fields = unsafe try reader.fields(most: 65_536)
      return unsafe parameters.withUnsafeBufferPointer { parameters in
        unsafe fields.withUnsafeBufferPointer { fields in
          unsafe request.parameters = parameters.baseAddress
          unsafe request.parameter_count = parameters.count
          unsafe request.fields = fields.baseAddress
          unsafe request.field_count = fields.count
          return unsafe withUnsafePointer(to: &request) { unsafe use($0) }
        }
      }
    }
  }
}
