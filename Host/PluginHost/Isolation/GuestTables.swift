import CGatewayPlugin
import Synchronization

/// One thing the plugin declared, with the function of its that does it.
@safe
struct GuestDeclaration: Sendable {
  var route: PluginRoute?
  var event: Callback<gw_event_fn>?
  var serve: Callback<gw_serve_fn>?
  var check: Callback<gw_check_fn>?
  var repeated: Callback<gw_job_fn>?
  var name = ""
  /// Of repeated work: whether a round is under way.
  let isBusy = Flag()

  final class Flag: Sendable {
    let value = Atomic<Bool>(false)
  }
}

/// The host's tables as the plugin gets them in a process of its own.
///
/// Jobs, threads, and what may still be answered are this process's; everything that others share is asked of the
/// gateway.
enum GuestTables {
  /// What `gw_host_v1.interface` calls.
  static let find: @convention(c) (gw_context, UnsafePointer<CChar>) -> UnsafeRawPointer? = {
    context,
    id in
    switch unsafe String(cString: id) {
    case GW_HTTP_1: unsafe UnsafeRawPointer(http)
    case GW_EVENTS_1: unsafe UnsafeRawPointer(events)
    case GW_SERVICES_1: unsafe UnsafeRawPointer(services)
    case GW_HEALTH_1: unsafe UnsafeRawPointer(health)
    case GW_METRICS_1: unsafe UnsafeRawPointer(metrics)
    case GW_LOG_1: unsafe UnsafeRawPointer(log)
    case GW_JOBS_1: unsafe UnsafeRawPointer(jobs)
    default: unsafe InterfaceDirectory.find(context, id)
    }
  }

  /// Calls `body` with the plugin and its way to the gateway.
  static func with<Result>(
    _ context: gw_context,
    gone: Result,
    _ body: (PluginInstance, GuestDesk) -> Result
  ) -> Result {
    ContextTable.with(context, gone: gone) { instance in
      guard let desk = instance.host.sink as? GuestDesk else { return gone }
      return body(instance, desk)
    }
  }

  /// Declares something at the gateway and, when that agrees, keeps the plugin's function for it.
  ///
  /// - Returns: The gateway's answer; its sentence is this thread's error.
  static func declare(
    _ instance: PluginInstance,
    _ desk: GuestDesk,
    _ kind: RemoteDeclaration.Kind,
    _ kept: GuestDeclaration,
    room: Int = 256,
    _ fill: (inout FrameBuilder) -> Void
  ) -> GuestInbox.Answer {
    let phase = instance.phase
    guard phase == .creating || phase == .created else {
      return GuestInbox.Answer(status: GW_E_STATE, value: 0, sentence: "")
    }
    // Kept before it is asked: the first event, or call, may be here before the answer is read.
    let index = desk.state.withLock { state in
      let index = state.declarations
      state.declarations += 1
      state.declared[index] = kept
      return index
    }
    let answer = desk.ask(.declare, room: room) { frame in
      frame.add(index)
      frame.add(kind.rawValue)
      fill(&frame)
    }
    if answer.status != GW_OK {
      desk.state.withLock { $0.declared[index] = nil }
      if !answer.sentence.isEmpty { instance.setError(answer.sentence) }
    }
    return answer
  }

  // MARK: - HTTP

  // Unchecked, here and below: constant after they are made.
  private nonisolated(unsafe) static let http = {
    var table = unsafe HTTPInterface.table.pointee
    unsafe table.add_route = { context, route, handler in
      with(context, gone: GW_E_GONE) { instance, desk in
        unsafe addRoute(instance, desk, route.pointee, handler)
      }
    }
    return unsafe InterfaceDirectory.keep(table)
  }()

  private static func addRoute(
    _ instance: PluginInstance,
    _ desk: GuestDesk,
    _ route: gw_route_v1,
    _ handler: UnsafePointer<gw_http_handler_v1>
  ) -> gw_status {
    let name = unsafe "route \(route.method.text(cutAt: 16)) \(route.pattern.text(cutAt: 128))"
    let spans = unsafe [route.method, route.pattern, route.scope, route.operation]
    // Swift believes the header that `request` is never NULL, so the word in memory is looked at instead.
    guard unsafe UnsafeRawPointer(handler).load(as: UInt.self) != 0 else {
      instance.setError("\(name): the handler has no request function")
      return GW_E_ARGUMENT
    }
    guard unsafe spans.allSatisfy({ unsafe !$0.isMalformed && $0.count <= 1 << 19 }) else {
      instance.setError("\(name): a text is malformed or too long")
      return GW_E_ARGUMENT
    }
    var terms = RouteTerms()
    terms.isInline = unsafe route.flags & GW_ROUTE_INLINE != 0
    terms.isStreaming = unsafe route.flags & GW_ROUTE_STREAM != 0
    // Only the gateway matches paths; here any pattern will do.
    guard let anywhere = try? PathPattern("/") else { return GW_E_INTERNAL }
    var kept = GuestDeclaration()
    kept.route = unsafe PluginRoute(
      method: route.method.text(cutAt: 16),
      pattern: (try? PathPattern(route.pattern.text(cutAt: PathPattern.maxBytes))) ?? anywhere,
      declared: terms,
      handler: handler.pointee,
      user: route.user,
      instance: instance
    )
    return unsafe declare(instance, desk, .route, kept, room: 512 + route.operation.count) {
      for index in 0..<4 { unsafe $0.add(spans[index]) }
      unsafe $0.add(route.flags)
      unsafe $0.add(route.max_in_flight)
      unsafe $0.add(route.max_body)
      unsafe $0.add(route.timeout_ms)
      unsafe $0.add(handler.pointee.body != nil)
    }.status
  }

  // MARK: - Events

  private nonisolated(unsafe) static let events = unsafe InterfaceDirectory.keep(
    gw_events_v1(
      declare: { context, topic, scope, flags in
        with(context, gone: GW_E_GONE) { instance, desk in
          guard unsafe isShort(topic), unsafe isShort(scope) else { return GW_E_ARGUMENT }
          return declare(instance, desk, .topic, GuestDeclaration()) { frame in
            unsafe frame.add(topic)
            unsafe frame.add(scope)
            frame.add(flags)
          }.status
        }
      },
      publish: { context, topic, subject, payload in
        with(context, gone: GW_E_GONE) { _, desk in
          guard unsafe isShort(topic), unsafe isShort(subject), unsafe !payload.isMalformed else {
            return GW_E_ARGUMENT
          }
          guard unsafe payload.count <= desk.limits.messageBytes else { return GW_E_LIMIT }
          return unsafe desk.ask(.publish, room: payload.count + 256) { frame in
            unsafe frame.add(topic)
            unsafe frame.add(subject)
            unsafe frame.add(payload)
          }.status
        }
      },
      subscribe: { context, topic, event, user in
        with(context, gone: GW_E_GONE) { instance, desk in
          guard unsafe isShort(topic) else { return GW_E_ARGUMENT }
          var kept = GuestDeclaration()
          unsafe kept.event = unsafe Callback(event, user: user)
          return declare(instance, desk, .subscription, kept) { unsafe $0.add(topic) }.status
        }
      }
    )
  )

  /// No name, subject or label of the contract is longer.
  private static func isShort(_ text: gw_bytes) -> Bool {
    unsafe !text.isMalformed && text.count <= 4096
  }

  // MARK: - Services

  private nonisolated(unsafe) static let services = unsafe InterfaceDirectory.keep(
    gw_services_v1(
      serve: { context, name, serve, user in
        with(context, gone: GW_E_GONE) { instance, desk in
          guard unsafe isShort(name) else { return GW_E_ARGUMENT }
          var kept = GuestDeclaration()
          unsafe kept.serve = unsafe Callback(serve, user: user)
          return declare(instance, desk, .service, kept) { unsafe $0.add(name) }.status
        }
      },
      call: { context, name, call, timeout, called, user in
        with(context, gone: GW_E_GONE) { instance, desk in
          let call = unsafe call.pointee
          guard unsafe isShort(name), unsafe isShort(call.method), unsafe isShort(call.subject),
            unsafe !call.argument.isMalformed, unsafe call.argument.count <= ServiceCall.maxBytes
          else { return GW_E_ARGUMENT }
          guard instance.occupancy.enter(.call) else { return GW_E_STATE }
          let callback = unsafe Callback(called, user: user)
          let token = desk.state.withLock { state in
            state.lastCall += 1
            unsafe state.calls[state.lastCall] = unsafe callback
            return state.lastCall
          }
          let status = unsafe desk.ask(.call, room: call.argument.count + 1024) { frame in
            unsafe frame.add(name)
            unsafe frame.add(call.method)
            unsafe frame.add(call.argument)
            unsafe frame.add(call.subject)
            frame.add(timeout)
            frame.add(token)
          }.status
          if status < 0 {
            _ = unsafe desk.state.withLock { unsafe $0.calls.removeValue(forKey: token) }
            instance.occupancy.leave(.call)
          }
          return status
        }
      }
    )
  )

  // MARK: - Health, metrics, log

  private nonisolated(unsafe) static let health = {
    var table = unsafe HealthInterface.table.pointee
    unsafe table.add_check = { context, name, period, timeout, check, user in
      with(context, gone: GW_E_GONE) { instance, desk in
        guard unsafe isShort(name) else { return GW_E_ARGUMENT }
        var kept = GuestDeclaration()
        unsafe kept.check = unsafe Callback(check, user: user)
        return declare(instance, desk, .check, kept) { frame in
          unsafe frame.add(name)
          frame.add(period)
          frame.add(timeout)
        }.status
      }
    }
    return unsafe InterfaceDirectory.keep(table)
  }()

  private nonisolated(unsafe) static let metrics = unsafe InterfaceDirectory.keep(
    gw_metrics_v1(
      define: { context, kind, name, help, labels, count, metric in
        with(context, gone: GW_E_GONE) { instance, desk in
          let spans = unsafe UnsafeBufferPointer(start: labels, count: labels == nil ? 0 : count)
          guard unsafe isShort(name), unsafe isShort(help), spans.count == count, count <= 64,
            unsafe spans.allSatisfy({ unsafe isShort($0) })
          else { return GW_E_ARGUMENT }
          let answer = declare(instance, desk, .metric, GuestDeclaration()) { frame in
            frame.add(kind)
            unsafe frame.add(name)
            unsafe frame.add(help)
            frame.add(UInt32(count))
            for index in 0..<count { unsafe frame.add(spans[index]) }
          }
          guard answer.status == GW_OK else { return answer.status }
          unsafe metric.pointee = gw_metric(v: answer.value)
          GuestMetrics.kinds.withLock { $0[answer.value] = (kind, count) }
          return GW_OK
        }
      },
      record: { context, metric, value, labels, count in
        with(context, gone: GW_E_GONE) { _, desk in
          guard let known = GuestMetrics.kinds.withLock({ $0[metric.v] }) else { return GW_E_GONE }
          let spans = unsafe UnsafeBufferPointer(start: labels, count: labels == nil ? 0 : count)
          guard spans.count == known.labels, count == known.labels, value.isFinite,
            known.kind != GW_COUNTER || value >= 0
          else { return GW_E_ARGUMENT }
          var record = FrameBuilder(.record)
          record.add(metric.v)
          record.add(value)
          record.add(UInt32(count))
          for index in 0..<count { unsafe record.add(cut(spans[index], 128)) }
          desk.record(Array(record.finished.dropFirst(LinkFrame.headerBytes)))
          return GW_OK
        }
      }
    )
  )

  private nonisolated(unsafe) static let log = unsafe InterfaceDirectory.keep(
    gw_log_v1(
      enabled: unsafe LogInterface.table.pointee.enabled,
      write: { context, level, about, message, fields, count in
        guard unsafe LogInterface.table.pointee.enabled(context, level) == 1 else { return }
        with(context, gone: ()) { _, desk in
          let most = min(count, LogInterface.maxFields)
          let fields = unsafe UnsafeBufferPointer(start: fields, count: fields == nil ? 0 : most)
          desk.log { frame in
            frame.add(level)
            frame.add(desk.number(of: about.v))
            unsafe frame.add(cut(message, LogInterface.valueBytes))
            frame.add(UInt32(fields.count))
            for index in 0..<fields.count {
              unsafe frame.add(cut(fields[index].name, 64))
              unsafe frame.add(cut(fields[index].value, LogInterface.valueBytes))
            }
          }
        }
      }
    )
  )

  private static func cut(_ span: gw_bytes, _ most: Int) -> gw_bytes {
    unsafe span.isMalformed
      ? .empty : unsafe gw_bytes(start: span.start, count: min(span.count, most))
  }

  // MARK: - Jobs

  private nonisolated(unsafe) static let jobs = {
    var table = unsafe JobsInterface.table.pointee
    unsafe table.start = { context, name, work, user, job in
      with(context, gone: GW_E_GONE) { _, desk in
        unsafe GuestJob.start(context, desk, name, Callback(work, user: user), job)
      }
    }
    unsafe table.every = { context, name, period, work, user in
      with(context, gone: GW_E_GONE) { instance, desk in
        guard unsafe isShort(name) else { return GW_E_ARGUMENT }
        var kept = GuestDeclaration()
        kept.name = unsafe name.text(cutAt: 64)
        unsafe kept.repeated = unsafe Callback(work, user: user)
        return declare(instance, desk, .repeated, kept) { frame in
          unsafe frame.add(name)
          frame.add(period)
        }.status
      }
    }
    return unsafe InterfaceDirectory.keep(table)
  }()
}

/// Kinds and label counts of the metrics that the plugin defined.
private enum GuestMetrics {
  static let kinds = Mutex<[UInt64: (kind: Int32, labels: Int)]>([:])
}

/// A job with a thread of its own, which the gateway hears of: it waits for it before the plugin is replaced.
@safe
private final class GuestJob: Sendable {
  private let work: Callback<gw_job_fn>
  private let desk: GuestDesk
  private let number: UInt32
  private static let last = Atomic<UInt32>(0)

  private init(_ work: Callback<gw_job_fn>, _ desk: GuestDesk) {
    unsafe self.work = unsafe work
    self.desk = desk
    number = Self.last.wrappingAdd(1, ordering: .relaxed).newValue
  }

  static func start(
    _ context: gw_context,
    _ desk: GuestDesk,
    _ name: gw_bytes,
    _ work: Callback<gw_job_fn>,
    _ out: UnsafeMutablePointer<gw_job>?
  ) -> gw_status {
    let job = unsafe GuestJob(work, desk)
    let shown = unsafe name.text(cutAt: 64)
    desk.link.send(.jobBegan) { frame in
      frame.add(job.number)
      frame.add(shown)
    }
    let kept = unsafe Unmanaged.passRetained(job)
    let run: gw_job_fn = { user, job in
      guard let user = unsafe user else { return }
      let started = unsafe Unmanaged<GuestJob>.fromOpaque(user).takeRetainedValue()
      unsafe started.work.function(started.work.user, job)
      started.desk.flushRecords()
      started.tellEnd()
    }
    let status = unsafe JobsInterface.table.pointee.start(context, name, run, kept.toOpaque(), out)
    if status < 0 {
      unsafe kept.release()
      job.tellEnd()
    }
    return status
  }

  private func tellEnd() { desk.link.send(.jobEnded) { $0.add(number) } }
}
