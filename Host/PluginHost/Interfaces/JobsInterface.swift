import CGatewayPlugin

/// `gw.jobs/1`.
enum JobsInterface {
  // Unchecked: constant after it is made.
  nonisolated(unsafe) static let table = unsafe InterfaceDirectory.keep(
    gw_jobs_v1(
      start: { context, name, work, user, job in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          guard let name = unsafe name.text, Names.isLabel(name) else { return GW_E_ARGUMENT }
          return unsafe start(
            instance,
            name,
            Callback(work, user: user, site: instance.site("job \(name)")),
            job
          )
        }
      },
      submit: { context, work, user in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          unsafe submit(instance, Callback(work, user: user, site: instance.site))
        }
      },
      every: { context, name, period, work, user in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          guard let name = unsafe name.text, Names.isLabel(name),
            (minPeriod...maxPeriod).contains(period)
          else { return GW_E_ARGUMENT }
          return unsafe every(
            instance,
            name,
            .milliseconds(Int64(period)),
            Callback(work, user: user, site: instance.site("job \(name)"))
          )
        }
      },
      should_stop: { context, job in
        ContextTable.with(context, gone: 1) { $0.jobs.shouldStop(job) ? 1 : 0 }
      },
      stop: { context, job in
        ContextTable.with(context, gone: GW_E_GONE) { $0.jobs.stop(job) ? GW_OK : GW_E_GONE }
      },
      parallel: { context, count, width, work, user in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          let work = unsafe Callback<gw_index_fn>(work, user: user, site: instance.site)
          instance.host.compute.run(count: count, width: width) { index in
            unsafe work.within(.parallel) { unsafe work.function(work.user, index) }
          }
          return GW_OK
        }
      }
    )
  )

  /// Milliseconds between two rounds of a repeated job.
  private static let minPeriod: UInt64 = 10
  private static let maxPeriod: UInt64 = 86_400_000
  /// Repeated jobs of one plugin.
  private static let maxRepeated = 64

  private static func start(
    _ instance: PluginInstance,
    _ name: String,
    _ work: Callback<gw_job_fn>,
    _ out: UnsafeMutablePointer<gw_job>?
  ) -> gw_status {
    // A job that begins now would only be told to end; and destroy would wait for it.
    guard !instance.jobs.isStopping, instance.occupancy.enter(.job) else { return GW_E_STATE }
    guard let job = instance.jobs.begin(name, hasThread: true) else {
      instance.occupancy.leave(.job)
      return GW_E_LIMIT
    }
    // Before the thread: the job may look at the number that its starter keeps.
    if let out = unsafe out { unsafe out.pointee = job }
    do throws(SystemError) {
      try HostThread(name: "\(instance.id) \(name)") {
        unsafe work.within(.job) { unsafe work.function(work.user, job) }
        end(job, of: instance)
      }.detach()
      return GW_OK
    } catch {
      instance.log(.warning, "a job's thread could not be started", [("error", "\(error)")])
      end(job, of: instance)
      return GW_E_LIMIT
    }
  }

  private static func submit(
    _ instance: PluginInstance,
    _ work: Callback<gw_job_fn>
  ) -> gw_status {
    guard instance.occupancy.enter(.job) else { return GW_E_STATE }
    guard let job = instance.jobs.begin("submitted", hasThread: false) else {
      instance.occupancy.leave(.job)
      return GW_E_LIMIT
    }
    let taken = instance.host.pool.submit {
      unsafe work.within(.job) { unsafe work.function(work.user, job) }
      end(job, of: instance)
    }
    if !taken { end(job, of: instance) }
    return taken ? GW_OK : GW_E_BUSY
  }

  private static func end(_ job: gw_job, of instance: PluginInstance) {
    instance.jobs.end(job)
    instance.occupancy.leave(.job)
  }

  private static func every(
    _ instance: PluginInstance,
    _ name: String,
    _ period: Duration,
    _ work: Callback<gw_job_fn>
  ) -> gw_status {
    let host = instance.host
    return instance.declare { declared in
      guard declared.periodic.count < maxRepeated else { return GW_E_LIMIT }
      declared.periodic.append(
        PeriodicWork(period: period, timers: host.timers, pool: host.pool) { done in
          defer { done() }
          guard instance.occupancy.enter(.repeated) else { return }
          defer { instance.occupancy.leave(.repeated) }
          guard let job = instance.jobs.begin(name, hasThread: false) else { return }
          unsafe work.within(.tick) { unsafe work.function(work.user, job) }
          instance.jobs.end(job)
        }
      )
      return GW_OK
    }
  }
}
