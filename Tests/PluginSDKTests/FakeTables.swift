import CGatewayPlugin
import Synchronization

private let directory: StaticString = "/data/fake"

/// The tables of `FakeHost`, in memory that stays where it is.
final class FakeTables {
  private var tables: [String: UnsafeMutableRawPointer] = [:]

  init() {
    add(GW_CORE_1, Self.core)
    add(GW_LOG_1, Self.log)
    add(GW_HTTP_1, FakeTables.http)
    add(GW_EVENTS_1, Self.events)
    add(GW_SERVICES_1, Self.services)
    add(GW_HEALTH_1, Self.health)
    add(GW_METRICS_1, Self.metrics)
    add(GW_JOBS_1, Self.jobs)
  }

  deinit { for table in tables.values { table.deallocate() } }

  subscript(_ id: String) -> UnsafeRawPointer? { tables[id].map { UnsafeRawPointer($0) } }

  private func add<Table>(_ id: String, _ table: Table) {
    let memory = UnsafeMutablePointer<Table>.allocate(capacity: 1)
    memory.initialize(to: table)
    tables[id] = UnsafeMutableRawPointer(memory)
  }

  private static var core: gw_core_v1 {
    gw_core_v1(
      now: { _ in 5_000_000_000 },
      data_directory: { _ in
        gw_bytes(start: directory.utf8Start, count: directory.utf8CodeUnitCount)
      },
      set_error: { context, message in
        FakeHost.from(context).record.withLock { $0.sentence = message.text }
      },
      complete: { context, operation, status, result in
        FakeHost.from(context).record.withLock {
          $0.completions.append((operation.v, status, result.text))
        }
        return GW_OK
      }
    )
  }

  private static var log: gw_log_v1 {
    gw_log_v1(
      enabled: { _, level in level >= GW_LOG_INFO ? 1 : 0 },
      write: { context, level, about, message, fields, count in
        let line = "\(level) \(about.v) \(message.text) \(texts(fields, count))"
        FakeHost.from(context).record.withLock { $0.logLines.append(line) }
      }
    )
  }

  private static var events: gw_events_v1 {
    gw_events_v1(
      declare: { context, topic, scope, flags in
        FakeHost.from(context).record.withLock {
          $0.topics.append("\(topic.text) \(scope.text) \(flags)")
        }
        return FakeHost.from(context).refusal("declare")
      },
      publish: { context, topic, subject, payload in
        FakeHost.from(context).record.withLock {
          $0.published.append("\(topic.text) \(subject.text) \(payload.text)")
        }
        return FakeHost.from(context).refusal("publish")
      },
      subscribe: { context, topic, event, user in
        FakeHost.from(context).record.withLock {
          $0.subscriptions.append(FakeCallback(name: topic.text, function: event, user: user))
        }
        return FakeHost.from(context).refusal("subscribe")
      }
    )
  }

  private static var services: gw_services_v1 {
    gw_services_v1(
      serve: { context, name, serve, user in
        FakeHost.from(context).record.withLock {
          $0.served.append(FakeCallback(name: name.text, function: serve, user: user))
        }
        return FakeHost.from(context).refusal("serve")
      },
      call: { context, service, call, timeout, called, user in
        let host = FakeHost.from(context)
        let refusal = host.refusal("call")
        if refusal < 0 { return refusal }
        let call = call.pointee
        let detail = "\(call.method.text) \(call.argument.text) \(call.subject.text) \(timeout)"
        host.record.withLock {
          $0.calls.append(
            FakeCallback(name: service.text, function: called, user: user, detail: detail)
          )
        }
        return GW_OK
      }
    )
  }

  private static var health: gw_health_v1 {
    gw_health_v1(
      add_check: { context, name, period, timeout, check, user in
        FakeHost.from(context).record.withLock {
          $0.checks.append(
            FakeCallback(
              name: name.text,
              function: check,
              user: user,
              detail: "\(period) \(timeout)"
            )
          )
        }
        return FakeHost.from(context).refusal("add_check")
      },
      report: { context, _, state, detail in
        FakeHost.from(context).record.withLock { $0.reports.append((state, detail.text)) }
        return GW_OK
      }
    )
  }

  private static var metrics: gw_metrics_v1 {
    gw_metrics_v1(
      define: { context, kind, name, help, labels, count, metric in
        let host = FakeHost.from(context)
        let line = "\(kind) \(name.text) \(help.text) \(texts(labels, count))"
        host.record.withLock {
          $0.metrics.append(line)
          metric.pointee.v = UInt64($0.metrics.count)
        }
        return host.refusal("define")
      },
      record: { context, metric, value, labels, count in
        let line = "\(metric.v) \(value) \(texts(labels, count))"
        FakeHost.from(context).record.withLock { $0.recorded.append(line) }
        return GW_OK
      }
    )
  }

  private static var jobs: gw_jobs_v1 {
    gw_jobs_v1(
      start: { context, name, work, user, job in
        let host = FakeHost.from(context)
        if host.refusal("start") < 0 { return host.refusal("start") }
        job?.pointee.v = 77
        host.record.withLock {
          $0.jobs.append(FakeCallback(name: name.text, function: work, user: user))
        }
        return GW_OK
      },
      submit: { context, work, user in
        let host = FakeHost.from(context)
        if host.refusal("submit") < 0 { return host.refusal("submit") }
        host.record.withLock {
          $0.jobs.append(FakeCallback(name: "submitted", function: work, user: user))
        }
        return GW_OK
      },
      every: { context, name, period, work, user in
        FakeHost.from(context).record.withLock {
          $0.periodic.append(
            FakeCallback(name: name.text, function: work, user: user, detail: "\(period)")
          )
        }
        return FakeHost.from(context).refusal("every")
      },
      should_stop: { context, job in
        FakeHost.from(context).record.withLock { $0.stopped.contains(job.v) } ? 1 : 0
      },
      stop: { context, job in
        FakeHost.from(context).record.withLock { _ = $0.stopped.insert(job.v) }
        return GW_OK
      },
      parallel: { context, count, _, work, user in
        for index in 0..<count { work(user, index) }
        return FakeHost.from(context).refusal("parallel")
      }
    )
  }
}
