import CGatewayPlugin
import Wire

/// The tables of the scripted host: core, log, health, metrics and jobs; the others have files of their own.
enum ScriptedTables {
  /// Ids of all interfaces that a plugin can do without.
  static let optional = [
    GW_LOG_1, GW_HTTP_1, GW_EVENTS_1, GW_SERVICES_1, GW_HEALTH_1, GW_METRICS_1, GW_JOBS_1,
  ]

  /// What `gw_host_v1.interface` calls.
  static let find: @convention(c) (gw_context, UnsafePointer<CChar>) -> UnsafeRawPointer? = {
    context,
    id in
    let name = unsafe String(cString: id)
    return unsafe ScriptedHost.with(context, "host->interface", gone: nil) { host in
      host.script.withheld.contains(name) ? nil : unsafe table(name)
    }
  }

  private static func table(_ id: String) -> UnsafeRawPointer? {
    switch id {
    case GW_CORE_1: unsafe UnsafeRawPointer(core)
    case GW_LOG_1: unsafe UnsafeRawPointer(log)
    case GW_HTTP_1: unsafe UnsafeRawPointer(ScriptedHTTP.table)
    case GW_EVENTS_1: unsafe UnsafeRawPointer(ScriptedEvents.events)
    case GW_SERVICES_1: unsafe UnsafeRawPointer(ScriptedEvents.services)
    case GW_HEALTH_1: unsafe UnsafeRawPointer(health)
    case GW_METRICS_1: unsafe UnsafeRawPointer(metrics)
    case GW_JOBS_1: unsafe UnsafeRawPointer(jobs)
    default: nil
    }
  }

  // Unchecked, here and below: constant after it is made.
  private nonisolated(unsafe) static let core = unsafe InterfaceDirectory.keep(
    gw_core_v1(
      now: { _ in UInt64(MonotonicClock.now) },
      data_directory: { context in
        unsafe ScriptedHost.with(context, "core->data_directory", gone: .empty) { host in
          unsafe gw_bytes(start: host.directory.baseAddress, count: host.directory.count)
        }
      },
      set_error: { context, message in
        ScriptedHost.with(context, "core->set_error", gone: ()) { host in
          guard let text = unsafe message.text else {
            return host.breach("core->set_error got a sentence that is not UTF-8.")
          }
          host.setSentence(text)
        }
      },
      complete: { context, operation, status, result in
        ScriptedHost.with(context, "core->complete", gone: GW_E_GONE) { host in
          unsafe host.complete(operation, .completion, status, result)
        }
      }
    )
  )

  private nonisolated(unsafe) static let log = unsafe InterfaceDirectory.keep(
    gw_log_v1(
      enabled: { _, _ in 1 },
      write: { context, _, _, message, fields, count in
        ScriptedHost.with(context, "log->write", gone: ()) { host in
          let hasFields = unsafe fields != nil
          guard unsafe message.text != nil, count == 0 || hasFields else {
            return host.breach("log->write got a message that is not UTF-8, or no fields.")
          }
          for index in 0..<min(count, LogInterface.maxFields) {
            guard let field = unsafe fields?[index] else { return }
            _ = unsafe field.name.copied + field.value.copied
          }
        }
      }
    )
  )

  private nonisolated(unsafe) static let health = unsafe InterfaceDirectory.keep(
    gw_health_v1(
      add_check: { context, name, period, timeout, check, user in
        ScriptedHost.with(context, "health->add_check", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "health->add_check") { return status }
          guard let name = unsafe name.text, Names.isLabel(name), period >= 100, timeout >= 1 else {
            host.breach("health->add_check got a bad name, a period below 100 ms or no timeout.")
            return GW_E_ARGUMENT
          }
          let callback = unsafe Callback(check, user: user)
          let run: @Sendable (gw_operation) -> Void = {
            unsafe callback.function(callback.user, $0)
          }
          return host.declare { $0.checks.append((name: name, timeout: timeout, run: run)) }
        }
      },
      report: { context, answer, state, detail in
        ScriptedHost.with(context, "health->report", gone: GW_E_GONE) { host in
          let bytes = unsafe detail.copied
          let isObject = bytes.isEmpty || (try? JSON.parse(bytes))?.asMembers != nil
          guard (GW_HEALTHY...GW_UNHEALTHY).contains(state), isObject, bytes.count <= 16 * 1024
          else {
            host.breach(
              "health->report got no state, or a detail that is no JSON object of 16 KiB."
            )
            return GW_E_ARGUMENT
          }
          return unsafe host.complete(answer, .report, state, detail)
        }
      }
    )
  )

  private nonisolated(unsafe) static let metrics = unsafe InterfaceDirectory.keep(
    gw_metrics_v1(
      define: { context, kind, name, help, labels, count, metric in
        ScriptedHost.with(context, "metrics->define", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "metrics->define") { return status }
          return unsafe define(host, kind, name, texts(labels, count), metric)
        }
      },
      record: { context, metric, value, labels, count in
        ScriptedHost.with(context, "metrics->record", gone: GW_E_GONE) { host in
          let family = host.state.withLock { state in
            metric.v >= 1 && metric.v <= UInt64(state.metrics.count)
              ? state.metrics[Int(metric.v) - 1] : nil
          }
          guard let family else { return GW_E_GONE }
          guard family.record(value, unsafe texts(labels, count)) else {
            host.breach("metrics->record on \(family.name): a bad value or number of labels.")
            return GW_E_ARGUMENT
          }
          return GW_OK
        }
      }
    )
  )

  private static func closure(
    _ work: gw_job_fn,
    _ user: UnsafeMutableRawPointer?
  ) -> @Sendable (gw_job) -> Void {
    let callback = unsafe Callback(work, user: user)
    return { unsafe callback.function(callback.user, $0) }
  }

  private static func define(
    _ host: ScriptedHost,
    _ kind: Int32,
    _ name: gw_bytes,
    _ labels: [String],
    _ metric: UnsafeMutablePointer<gw_metric>
  ) -> gw_status {
    let kinds: [Int32: MetricFamily.Kind] = [
      GW_COUNTER: .counter, GW_GAUGE: .gauge, GW_HISTOGRAM: .histogram,
    ]
    guard let kind = kinds[kind], let name = unsafe name.text else {
      host.breach("metrics->define got an unknown kind or a name that is not UTF-8.")
      return GW_E_ARGUMENT
    }
    let family: MetricFamily
    do throws(MetricsRegistry.Refusal) {
      family = try host.registry.define(kind, name, help: "", labels: labels, owner: host.plugin)
    } catch {
      host.breach("metrics->define: \(error).")
      return GW_E_ARGUMENT
    }
    return host.declare { state in
      state.metrics.append(family)
      unsafe metric.pointee = gw_metric(v: UInt64(state.metrics.count))
    }
  }

  private static func texts(_ start: UnsafePointer<gw_bytes>?, _ count: Int) -> [String] {
    guard let start = unsafe start, count <= 64 else { return [] }
    return (0..<count).map { unsafe start[$0].text(cutAt: 128) }
  }

  private nonisolated(unsafe) static let jobs = unsafe InterfaceDirectory.keep(
    gw_jobs_v1(
      start: { context, name, work, user, job in
        ScriptedHost.with(context, "jobs->start", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "jobs->start") { return status }
          guard let name = unsafe name.text, Names.isLabel(name) else {
            host.breach("jobs->start got a name that is not 1 to 64 visible characters.")
            return GW_E_ARGUMENT
          }
          guard !host.jobs.isStopping else { return GW_E_STATE }
          let work = unsafe closure(work, user)
          return unsafe host.run(name, work, onThread: true, out: job) ? GW_OK : GW_E_LIMIT
        }
      },
      submit: { context, work, user in
        ScriptedHost.with(context, "jobs->submit", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "jobs->submit") { return status }
          let work = unsafe closure(work, user)
          return unsafe host.run("submitted", work, onThread: false, out: nil)
            ? GW_OK : GW_E_BUSY
        }
      },
      every: { context, name, period, work, user in
        ScriptedHost.with(context, "jobs->every", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "jobs->every") { return status }
          guard let name = unsafe name.text, Names.isLabel(name), period >= 10 else {
            host.breach("jobs->every got a bad name or a period below 10 ms.")
            return GW_E_ARGUMENT
          }
          let work = unsafe closure(work, user)
          return host.declare { $0.periodic.append((name: name, work: work)) }
        }
      },
      should_stop: { context, job in
        ScriptedHost.with(context, "jobs->should_stop", gone: 1) { host in
          host.jobs.shouldStop(job) ? 1 : 0
        }
      },
      stop: { context, job in
        ScriptedHost.with(context, "jobs->stop", gone: GW_E_GONE) { host in
          host.jobs.stop(job) ? GW_OK : GW_E_GONE
        }
      },
      parallel: { context, count, width, work, user in
        ScriptedHost.with(context, "jobs->parallel", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "jobs->parallel") { return status }
          let work = unsafe Callback<gw_index_fn>(work, user: user)
          ScriptedHost.compute.run(count: count, width: width) { index in
            unsafe work.function(work.user, index)
          }
          return GW_OK
        }
      }
    )
  )
}

extension ScriptedHost {
  /// Takes a declaration while that is allowed: before activate.
  func declare(_ change: (inout State) -> Void) -> gw_status {
    let isLate = state.withLock { state in
      guard state.phase == .creating || state.phase == .created else { return true }
      change(&state)
      return false
    }
    guard isLate else { return GW_OK }
    breach("Something was declared after create; routes, topics, checks and the like come before.")
    return GW_E_STATE
  }
}
