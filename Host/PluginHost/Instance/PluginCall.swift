import CGatewayPlugin
import Synchronization

/// Why a plugin's answer is not wanted any more.
enum CancelReason: Int32 {
  case peerGone = 1
  case deadline = 2
  case drain = 3
  case body = 4
}

/// A request's bytes, wherever they are kept.
protocol RequestSource: Sendable {
  /// Calls `use` with the contract's form of the request, valid for that call.
  func withRequest<Result>(
    handle: UInt64,
    _ use: (UnsafePointer<gw_request_v1>) -> Result
  ) -> Result
}

/// The steps of one request at a plugin, wherever its code runs.
protocol RequestSteps: AnyObject, Sendable {
  /// Runs the first step.
  ///
  /// - Parameter pool: For what runs in this process.
  /// - Returns: Whether there was room; when not, nothing will run.
  func begin(on pool: WorkerPool) -> Bool

  /// Runs `step` after the ones before it.
  func add(_ step: PluginCall.Step, on pool: WorkerPool)

  /// Calls the plugin's `cancel`, once, as soon as the contract allows it.
  ///
  /// - Parameters:
  ///   - reason: Why no answer is wanted any more.
  ///   - hasStarted: Whether a streamed answer has begun.
  func cancel(_ reason: CancelReason, hasStarted: Bool)

  /// Calls the plugin's `writable`.
  func tellRoom()

  /// The client has taken `count` bytes of a streamed answer.
  func sent(_ count: Int)
}

/// One request at a plugin's worker route: its bytes, and the steps that are still to be run.
///
/// The steps run one after another on the pool, never two at once, as the contract promises.
// Sendable: everything but `steps` and the atomics is constant after `init`, `state` is touched by the
// running step only, and read by the loop where an atomic of this class orders it (see `stateForLoop`).
@safe final class PluginCall: RequestSteps, @unchecked Sendable {
  /// What is still to be done, in order.
  enum Step: Sendable {
    case request
    case body([UInt8], isLast: Bool)
    case end
  }

  /// What the loop must hear of.
  enum Report: Sendable {
    /// `request` returned.
    case returned(gw_status, error: String?)
    /// `body` returned, having consumed so many bytes.
    case consumed(Int, gw_status, error: String?)
  }

  private struct Steps {
    var waiting: [Step] = []
    var isRunning = false
  }

  let route: PluginRoute
  let handle: UInt64
  private let image: any RequestSource
  private let steps = Mutex(Steps())
  /// Memory of its own: the plugin writes it while the loop may read it, which no variable allows.
  private let state: UnsafeMutablePointer<UnsafeMutableRawPointer?>
  /// Whether the plugin has failed and gets no more of the body; touched by the running step only.
  private var hasFailed = false
  private let hasReturned = Atomic<Bool>(false)
  private let cancelled = Atomic<Int32>(0)
  private let report: @Sendable (Report) -> Void

  init(
    route: PluginRoute,
    handle: UInt64,
    image: any RequestSource,
    report: @escaping @Sendable (Report) -> Void
  ) {
    self.route = route
    self.handle = handle
    self.image = image
    self.report = report
    unsafe state = .allocate(capacity: 1)
    unsafe state.initialize(to: nil)
  }

  deinit { unsafe state.deallocate() }

  func begin(on pool: WorkerPool) -> Bool {
    steps.withLock {
      $0.waiting.append(.request)
      $0.isRunning = true
    }
    return pool.submit { [self] in run(on: pool) }
  }

  func add(_ step: Step, on pool: WorkerPool) {
    let isIdle = steps.withLock { steps in
      steps.waiting.append(step)
      defer { steps.isRunning = true }
      return !steps.isRunning
    }
    if isIdle { pool.submitOwed { [self] in run(on: pool) } }
  }

  /// The plugin's state, once the loop may use it.
  ///
  /// The contract lets cancel and writable come only after `request` returned or began a streamed
  /// answer; both pass through an atomic after the plugin's store, so the store is seen.
  func stateForLoop(hasStarted: Bool) -> (state: UnsafeMutableRawPointer?, isKnown: Bool) {
    guard hasStarted || hasReturned.load(ordering: .acquiring) else { return (nil, false) }
    return unsafe (state.pointee, true)
  }

  func tellRoom() {
    guard let writable = unsafe route.handler.writable else { return }
    route.site.within(.writable) {
      unsafe writable(route.user, stateForLoop(hasStarted: true).state, gw_request(v: handle))
    }
  }

  /// Counted at the request's gate already.
  func sent(_ count: Int) {}

  func cancel(_ reason: CancelReason, hasStarted: Bool) {
    // What still waits of the body is of no use any more, and each part may take its time.
    steps.withLock { steps in
      steps.waiting.removeAll { step in
        if case .body = step { true } else { false }
      }
    }
    cancelled.store(reason.rawValue, ordering: .sequentiallyConsistent)
    if hasStarted || hasReturned.load(ordering: .sequentiallyConsistent) { deliverCancel() }
  }

  /// Whichever of loop and worker comes first takes the reason, so that `cancel` is called once.
  private func deliverCancel() {
    let reason = cancelled.exchange(0, ordering: .sequentiallyConsistent)
    guard reason != 0, let cancel = unsafe route.handler.cancel else { return }
    route.site.within(.cancel) {
      unsafe cancel(route.user, state.pointee, gw_request(v: handle), reason)
    }
  }

  private func run(on pool: WorkerPool) {
    while true {
      let next: Step? = steps.withLock { steps in
        guard !steps.waiting.isEmpty else {
          steps.isRunning = false
          return nil
        }
        return steps.waiting.removeFirst()
      }
      guard let next else { return }
      perform(next)
    }
  }

  private func perform(_ step: Step) {
    switch step {
    case .request:
      let status = unsafe image.withRequest(handle: handle) { request in
        route.site.within(.request) {
          unsafe route.handler.request(route.user, request, state)
        }
      }
      hasFailed = status < 0
      let error = status < 0 ? route.instance.takeError() : nil
      hasReturned.store(true, ordering: .sequentiallyConsistent)
      deliverCancel()
      report(.returned(status, error: error))
    case .body(let bytes, let isLast):
      guard !hasFailed, let body = unsafe route.handler.body else { return }
      let status = unsafe bytes.withUnsafeBufferPointer { chunk in
        route.site.within(.body) {
          unsafe body(
            route.user,
            state.pointee,
            gw_request(v: handle),
            gw_bytes(start: chunk.baseAddress, count: chunk.count),
            isLast ? 1 : 0
          )
        }
      }
      hasFailed = status < 0
      report(.consumed(bytes.count, status, error: status < 0 ? route.instance.takeError() : nil))
    case .end:
      if let end = unsafe route.handler.end {
        route.site.within(.end) {
          unsafe end(route.user, state.pointee, gw_request(v: handle))
        }
      }
      route.inFlight.subtract(1, ordering: .releasing)
    }
  }
}
