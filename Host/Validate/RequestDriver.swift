import CGatewayPlugin

/// Takes requests through all their calls, in the order and on the kinds of threads that the contract promises.
struct RequestDriver {
  private let host: ScriptedHost
  private let journal: Journal
  private let answerTime: Duration

  /// How long a call on the event loop may take here; far beyond what a gateway counts as an overrun.
  static let inlineTime = Duration.milliseconds(250)

  init(_ instance: HostedInstance, _ subject: LibrarySubject) {
    host = instance.host
    journal = subject.journal
    answerTime = subject.answerTime
  }

  /// Sends one request and says what was wrong.
  ///
  /// - Returns: The request as it ended; whether all its calls have returned.
  func run(_ route: ScriptedRoute, _ course: RequestCourse) -> (ScriptedRequest, Bool) {
    journal.step("handling \(route.name) with \(course.words)")
    let request = ScriptedRequest(route, course)
    host.state.withLock { $0.requests[request.handle] = request }
    let limit = min(answerTime, route.terms.timeout ?? answerTime)
    let deadline = MonotonicClock.now + limit.nanoseconds
    var hasReturned = begin(request, until: deadline) && feed(request)
    if hasReturned {
      answer(request, limit)
      _ = request.giveBack()
      hasReturned = end(request)
    }
    return (request, hasReturned)
  }

  private func begin(_ request: ScriptedRequest, until deadline: Int64) -> Bool {
    let route = request.route
    let status = call(request, "request", inline: route.terms.isInline) {
      unsafe LentRequest().withRequest(
        request.course,
        route,
        handle: request.handle,
        deadline: UInt64(deadline)
      ) {
        unsafe route.handler.request(route.user, $0, request.word)
      }
    }
    guard let status else { return false }
    let (answer, isGone) = request.state.withLock { ($0.answer, $0.isGone) }
    if status < 0 {
      failed(request)
    } else if status == GW_OK, answer == .none, !isGone {
      request.fault(
        "request returned GW_OK without an answer; answer first, or return GW_PENDING and answer later."
      )
      failed(request)
    } else if status > GW_PENDING {
      request.fault("request returned status \(status), which means nothing here.")
    }
    switch request.course.leaving {
    case .before: cancel(request)
    case .waiting where answer == .none && status == GW_PENDING: leave(request)
    default: break
    }
    return true
  }

  /// Brings the body of a streaming route.
  private func feed(_ request: ScriptedRequest) -> Bool {
    let route = request.route
    guard route.terms.isStreaming, let body = unsafe route.handler.body else { return true }
    let parts = request.course.parts
    for number in 0...parts.count {
      if case .afterPart(number) = request.course.leaving { leave(request) }
      let isOver = request.state.withLock { $0.isGone || $0.answer != .none }
      guard !isOver else { return true }
      let isLast = number == parts.count
      let status = call(request, "body", inline: false) {
        unsafe LentRequest().withBytes(isLast ? [] : parts[number]) { chunk in
          unsafe body(
            route.user,
            request.word.pointee,
            gw_request(v: request.handle),
            chunk,
            isLast ? 1 : 0
          )
        }
      }
      guard let status else { return false }
      if status < 0 { failed(request) }
    }
    return true
  }

  /// Waits for the answer and its end.
  private func answer(_ request: ScriptedRequest, _ limit: Duration) {
    let deadline = MonotonicClock.now + limit.nanoseconds
    let isDone = pump(request, until: deadline) { state in
      if case .ended = state.answer { return true }
      return state.isGone
    }
    guard !isDone else { return }
    request.fault(
      """
      no answer came within \(limit); answer every request, or return a status below 0 (a route that needs longer is \
      tested with --answer-time).
      """
    )
    leave(request, .deadline)
  }

  private func end(_ request: ScriptedRequest) -> Bool {
    let route = request.route
    guard let end = unsafe route.handler.end else { return true }
    let status = call(request, "end", inline: route.terms.isInline) {
      unsafe end(route.user, request.word.pointee, gw_request(v: request.handle))
      return GW_OK
    }
    return status != nil
  }

  private func failed(_ request: ScriptedRequest) {
    request.state.withLock { state in
      if state.answer == .none { state.answer = .ended("the host's 500") }
    }
  }

  private func leave(_ request: ScriptedRequest, _ reason: CancelReason? = nil) {
    request.state.withLock { $0.isGone = true }
    cancel(request, reason)
  }

  private func cancel(_ request: ScriptedRequest, _ reason: CancelReason? = nil) {
    guard let cancel = unsafe request.route.handler.cancel else { return }
    let reason = reason ?? request.course.reason
    unsafe cancel(
      request.route.user,
      request.word.pointee,
      gw_request(v: request.handle),
      reason.rawValue
    )
  }

  /// Runs one call of the plugin, and meanwhile what the loop would do.
  ///
  /// - Returns: What it gave; `nil` when it has not returned in time.
  private func call(
    _ request: ScriptedRequest,
    _ name: String,
    inline: Bool,
    _ body: @escaping @Sendable () -> gw_status
  ) -> gw_status? {
    request.state.withLock { $0.returned = nil }
    let began = MonotonicClock.now
    ScriptedHost.workers?.submitOwed {
      let status = body()
      request.state.withLock { $0.returned = status }
      request.state.wakeAll()
    }
    let deadline = MonotonicClock.now + answerTime.nanoseconds + 1_000_000_000
    guard pump(request, until: deadline, isLoopBusy: inline, { $0.returned != nil }) else {
      request.fault("\(name) has not returned within \(answerTime); it must end by itself.")
      return nil
    }
    let took = Duration.nanoseconds(MonotonicClock.now - began)
    if inline, took > Self.inlineTime {
      request.fault(
        "\(name) took more than \(Self.inlineTime) on the event loop; a GW_ROUTE_INLINE route returns at once."
      )
    }
    return request.state.withLock { $0.returned }
  }

  private enum Event { case done, cancel, writable }

  /// Waits until `isDone`, calling `cancel` and `writable` when they are due and the loop is free for them.
  private func pump(
    _ request: ScriptedRequest,
    until deadline: Int64,
    isLoopBusy: Bool = false,
    _ isDone: (ScriptedRequest.State) -> Bool
  ) -> Bool {
    while true {
      let event: Event? = request.state.wait(until: deadline) { state in
        if state.isCancelDue, !isLoopBusy {
          state.isCancelDue = false
          return .cancel
        }
        if state.wantsRoom, !state.isGone, !isLoopBusy {
          state.wantsRoom = false
          return .writable
        }
        return isDone(state) ? .done : nil
      }
      switch event {
      case .done: return true
      case .cancel: cancel(request)
      case .writable:
        if let writable = unsafe request.route.handler.writable {
          unsafe writable(
            request.route.user,
            request.word.pointee,
            gw_request(v: request.handle)
          )
        }
      case nil: return false
      }
    }
  }
}
