package import GatewayPlugin
import PluginStorage

/// What a worker is given by its gateway and its machine; replaced by tests.
///
/// Every closure may be called from any worker or job, and may block.
package struct WorkerSurroundings: Sendable {
  /// Runs work on a thread of its own, and lets it ask whether it should stop.
  package var startJob:
    @Sendable (
      _ name: String,
      _ work: @escaping @Sendable (_ shouldStop: @escaping @Sendable () -> Bool) -> Void
    ) throws -> Void
  /// Runs something short on a worker soon.
  package var submit: @Sendable (_ work: @escaping @Sendable () -> Void) throws -> Void
  /// Calls a service of another plugin and waits.
  package var service: @Sendable (ServiceCall) throws(HostRefusal) -> JSON
  /// Lines for the operator.
  package var warn: @Sendable (_ what: String, _ why: String) -> Void
  /// Monotonic nanoseconds.
  package var now: @Sendable () -> UInt64
  /// Looks at the machine; its load since the last look.
  package var measure: @Sendable () -> Measurement
  /// How programs of strangers are run here, tried out.
  package var isolate: @Sendable () -> Result<Sandbox, IsolationRefusal>

  /// One call of another plugin.
  package struct ServiceCall: Sendable, Equatable {
    package var service: String
    package var method: String
    package var argument: JSON
    /// On whose behalf.
    package var subject: String
    package var timeout: Duration

    package init(
      _ service: String,
      _ method: String,
      _ argument: JSON,
      subject: String,
      timeout: Duration = .seconds(10)
    ) {
      self.service = service
      self.method = method
      self.argument = argument
      self.subject = subject
      self.timeout = timeout
    }
  }

  package init(
    startJob:
      @escaping @Sendable (
        String, @escaping @Sendable (@escaping @Sendable () -> Bool) -> Void
      ) throws -> Void,
    submit: @escaping @Sendable (@escaping @Sendable () -> Void) throws -> Void,
    service: @escaping @Sendable (ServiceCall) throws(HostRefusal) -> JSON,
    warn: @escaping @Sendable (String, String) -> Void,
    now: @escaping @Sendable () -> UInt64,
    measure: @escaping @Sendable () -> Measurement,
    isolate: @escaping @Sendable () -> Result<Sandbox, IsolationRefusal>
  ) {
    self.startJob = startJob
    self.submit = submit
    self.service = service
    self.warn = warn
    self.now = now
    self.measure = measure
    self.isolate = isolate
  }

  /// What a gateway and this machine give.
  ///
  /// - Parameters:
  ///   - host: The gateway.
  ///   - directory: Absolute path of the folder of the worker's data.
  package init(host: Host, directory: String) {
    let meter = Meter(directory: directory)
    self.init(
      startJob: { name, work in
        try host.jobs.start(name) { job in work { job.shouldStop } }
      },
      submit: { work in try host.jobs.submit { _ in work() } },
      service: { (call) throws(HostRefusal) in
        try host.services.call(
          call.service,
          call.method,
          call.argument,
          subject: call.subject,
          timeout: call.timeout
        )
      },
      warn: { what, why in host.log.warning("\(what)", ["why": "\(why)"]) },
      now: Clock.monotonic,
      measure: { meter.look() },
      isolate: { SandboxCheck.passedSandbox(hiding: host.dataDirectory, trying: directory) }
    )
  }
}
