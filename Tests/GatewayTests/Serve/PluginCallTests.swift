import CGatewayPlugin
import Glibc
import Synchronization
import Testing
import Wire

@testable import Gateway

/// What a handler was called with, in order, and what it is to return.
private final class CallRecorder: Sendable {
  struct State {
    var calls: [String] = []
    var running = 0
    var overlaps = 0
    var states: Set<UInt> = []
    /// Whether `request` waits until `mayReturn`.
    var isHeld = false
    var hasEntered = false
  }

  let state = Monitor(State())
  private let requestStatus: gw_status
  private let failingBody: Int
  private let bodies = Atomic<Int>(0)

  init(requestStatus: gw_status = GW_PENDING, failingBody: Int = -1, holds: Bool = false) {
    self.requestStatus = requestStatus
    self.failingBody = failingBody
    state.withLock { $0.isHeld = holds }
  }

  var calls: [String] { state.withLock { $0.calls } }

  func mayReturn() {
    state.withLock { $0.isHeld = false }
    state.wakeAll()
  }

  func waitForRequest() -> Bool {
    state.wait(until: MonotonicClock.now + 10_000_000_000) { $0.hasEntered ? true : nil } ?? false
  }

  /// Notes one call; `cancel` may come while others run.
  private func note(_ name: String, _ plugin: UnsafeMutableRawPointer?, mayOverlap: Bool = false) {
    state.withLock { state in
      state.calls.append(name)
      state.states.insert(UInt(bitPattern: plugin))
      guard !mayOverlap else { return }
      state.running += 1
      if state.running > 1 { state.overlaps += 1 }
    }
    state.wakeAll()
  }

  private func leave() {
    sched_yield()
    state.withLock { $0.running -= 1 }
  }

  private static func of(_ user: UnsafeMutableRawPointer?) -> CallRecorder? {
    user.map { Unmanaged<CallRecorder>.fromOpaque($0).takeUnretainedValue() }
  }

  var user: UnsafeMutableRawPointer { Unmanaged.passUnretained(self).toOpaque() }

  static var handler: gw_http_handler_v1 {
    gw_http_handler_v1(
      request: { user, request, state in
        guard let recorder = CallRecorder.of(user) else { return GW_E_INTERNAL }
        // Some word that is the plugin's own; it is never followed.
        state.pointee = UnsafeMutableRawPointer(bitPattern: 0x5000)
        recorder.note("request \(request.pointee.path.text ?? "")", state.pointee)
        recorder.state.withLock { $0.hasEntered = true }
        recorder.state.wakeAll()
        let _: Bool? = recorder.state.wait(until: MonotonicClock.now + 10_000_000_000) {
          $0.isHeld ? nil : true
        }
        recorder.leave()
        return recorder.requestStatus
      },
      body: { user, state, _, chunk, last in
        guard let recorder = CallRecorder.of(user) else { return GW_E_INTERNAL }
        recorder.note("body \(chunk.text ?? "")\(last == 1 ? "." : "")", state)
        let count = recorder.bodies.wrappingAdd(1, ordering: .relaxed).newValue
        recorder.leave()
        return count == recorder.failingBody ? GW_E_INTERNAL : GW_OK
      },
      writable: nil,
      cancel: { user, state, _, reason in
        CallRecorder.of(user)?.note("cancel \(reason)", state, mayOverlap: true)
      },
      end: { user, state, _ in
        guard let recorder = CallRecorder.of(user) else { return }
        recorder.note("end", state)
        recorder.leave()
      }
    )
  }
}

@Suite("One request's steps at a plugin", .serialized)
struct PluginCallTests {
  /// A call at a route of its own; reports are collected.
  private final class Scene {
    let bench: RouteBench
    let pool: WorkerPool
    let route: PluginRoute
    let recorder: CallRecorder
    let reports = Monitor<[String]>([])
    let call: PluginCall

    init(_ recorder: CallRecorder, threads: Int = 8, bench: RouteBench) throws {
      self.bench = bench
      self.recorder = recorder
      pool = try WorkerPool(threads: threads, queue: 16)
      route = try bench.route(
        "POST",
        "/x",
        handler: CallRecorder.handler,
        user: recorder.user
      )
      route.inFlight.add(1, ordering: .relaxed)
      let bytes = Array("POST /x HTTP/1.1\r\nHost: a\r\nCookie: b\r\n\r\n".utf8)
      var head = RequestHead()
      let length = try head.parse(bytes.span, maxBytes: 1000, maxFields: 10)
      try #require(length == bytes.count)
      let image = RequestImage(
        bytes: bytes,
        head: RequestView.Head(head),
        parameters: [],
        body: [],
        caller: nil,
        requestID: [],
        traceID: [],
        peer: [],
        deadline: 1
      )
      let reports = reports
      call = PluginCall(route: route, handle: 77, image: image) { report in
        let text =
          switch report {
          case .returned(let status, _): "returned \(status)"
          case .consumed(let count, let status, _): "consumed \(count) \(status)"
          }
        reports.withLock { $0.append(text) }
      }
    }

    /// Runs all that waits, and gives the calls.
    func finish() -> [String] {
      pool.shutDown()
      return recorder.calls
    }
  }

  @Test func `run in order, one at a time, under a pool of eight threads`() throws {
    let bench = try RouteBench()
    for _ in 0..<50 {
      let recorder = CallRecorder()
      let scene = try Scene(recorder, bench: bench)
      #expect(scene.call.begin(on: scene.pool))
      for number in 0..<20 {
        scene.call.add(.body(Array("\(number)".utf8), isLast: number == 19), on: scene.pool)
      }
      scene.call.add(.end, on: scene.pool)
      let bodies = (0..<20).map { "body \($0)\($0 == 19 ? "." : "")" }
      #expect(scene.finish() == ["request /x"] + bodies + ["end"])
      #expect(recorder.state.withLock { $0.overlaps } == 0)
      // The state that `request` stored is what every later call gets.
      #expect(recorder.state.withLock { $0.states } == [0x5000])
      #expect(scene.reports.withLock { $0.count } == 21)
      #expect(scene.reports.withLock { $0.first } == "returned \(GW_PENDING)")
      #expect(scene.route.inFlight.load(ordering: .acquiring) == 0)
    }
    try bench.end()
  }

  @Test func `a full pool runs nothing`() throws {
    let bench = try RouteBench()
    let recorder = CallRecorder()
    let scene = try Scene(recorder, threads: 1, bench: bench)
    scene.pool.shutDown()
    #expect(!scene.call.begin(on: scene.pool))
    #expect(recorder.calls.isEmpty)
    try bench.end()
  }

  @Test func `a cancel while request runs comes right behind it, once`() throws {
    let bench = try RouteBench()
    let recorder = CallRecorder(holds: true)
    let scene = try Scene(recorder, bench: bench)
    #expect(scene.call.begin(on: scene.pool))
    #expect(recorder.waitForRequest())
    scene.call.cancel(.deadline, hasStarted: false)
    scene.call.add(.end, on: scene.pool)
    #expect(recorder.calls == ["request /x"])
    recorder.mayReturn()
    #expect(scene.finish() == ["request /x", "cancel 2", "end"])
    try bench.end()
  }

  @Test func `a cancel before request has begun comes behind it too`() throws {
    let bench = try RouteBench()
    let recorder = CallRecorder()
    let scene = try Scene(recorder, threads: 1, bench: bench)
    let gate = Monitor(false)
    #expect(scene.pool.submit { let _: Bool? = gate.wait { $0 ? true : nil } })
    #expect(scene.call.begin(on: scene.pool))
    scene.call.cancel(.peerGone, hasStarted: false)
    scene.call.add(.end, on: scene.pool)
    gate.withLock { $0 = true }
    gate.wakeAll()
    #expect(scene.finish() == ["request /x", "cancel 1", "end"])
    try bench.end()
  }

  @Test func `a cancel after request comes at once`() throws {
    let bench = try RouteBench()
    let recorder = CallRecorder()
    let scene = try Scene(recorder, bench: bench)
    #expect(scene.call.begin(on: scene.pool))
    #expect(eventually { scene.reports.withLock { !$0.isEmpty } })
    scene.call.cancel(.drain, hasStarted: false)
    #expect(recorder.calls == ["request /x", "cancel 3"])
    scene.call.add(.end, on: scene.pool)
    #expect(scene.finish() == ["request /x", "cancel 3", "end"])
    try bench.end()
  }

  @Test func `a cancel of a started stream comes while request still runs`() throws {
    let bench = try RouteBench()
    let recorder = CallRecorder(holds: true)
    let scene = try Scene(recorder, bench: bench)
    #expect(scene.call.begin(on: scene.pool))
    #expect(recorder.waitForRequest())
    scene.call.cancel(.peerGone, hasStarted: true)
    #expect(recorder.calls == ["request /x", "cancel 1"])
    scene.call.add(.end, on: scene.pool)
    recorder.mayReturn()
    #expect(scene.finish() == ["request /x", "cancel 1", "end"])
    #expect(recorder.state.withLock { $0.states } == [0x5000])
    try bench.end()
  }

  @Test func `a cancel that meets the end of request comes exactly once`() throws {
    let bench = try RouteBench()
    for _ in 0..<300 {
      let recorder = CallRecorder()
      let scene = try Scene(recorder, threads: 2, bench: bench)
      #expect(scene.call.begin(on: scene.pool))
      scene.call.cancel(.body, hasStarted: false)
      scene.call.add(.end, on: scene.pool)
      let calls = scene.finish()
      #expect(calls == ["request /x", "cancel 4", "end"])
    }
    try bench.end()
  }

  // The contract: "Below 0: the host answers 500 unless already answered, and sends no more."
  @Test func `after a failed body no more of it comes, but end does`() throws {
    let bench = try RouteBench()
    let recorder = CallRecorder(failingBody: 2, holds: true)
    let scene = try Scene(recorder, bench: bench)
    #expect(scene.call.begin(on: scene.pool))
    for number in 1...4 {
      scene.call.add(.body(Array("\(number)".utf8), isLast: false), on: scene.pool)
    }
    scene.call.add(.end, on: scene.pool)
    recorder.mayReturn()
    #expect(scene.finish() == ["request /x", "body 1", "body 2", "end"])
    #expect(
      scene.reports.withLock { $0 }
        == ["returned \(GW_PENDING)", "consumed 1 0", "consumed 1 \(GW_E_INTERNAL)"]
    )
    try bench.end()
  }

  @Test func `after a failed request no body comes, but end does`() throws {
    let bench = try RouteBench()
    let recorder = CallRecorder(requestStatus: GW_E_INTERNAL, holds: true)
    let scene = try Scene(recorder, bench: bench)
    #expect(scene.call.begin(on: scene.pool))
    scene.call.add(.body([1], isLast: true), on: scene.pool)
    scene.call.add(.end, on: scene.pool)
    recorder.mayReturn()
    #expect(scene.finish() == ["request /x", "end"])
    #expect(scene.reports.withLock { $0 } == ["returned \(GW_E_INTERNAL)"])
    try bench.end()
  }
}
