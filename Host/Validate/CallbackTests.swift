import CGatewayPlugin

/// What the host calls besides routes: checks, services, events, jobs.
enum CallbackTests {
  static let all = [
    ValidatorTest(
      "callback.checks",
      "health checks that do not answer in their time, or answer twice",
      needs: ["load.create"],
      checks
    ),
    ValidatorTest(
      "callback.services",
      "service calls without an answer, or with a crash, for any method and argument",
      needs: ["load.create"],
      services
    ),
    ValidatorTest(
      "callback.events",
      "events of any payload that crash a subscriber",
      needs: ["load.create"],
      events
    ),
    ValidatorTest(
      "callback.jobs",
      "repeated jobs that crash or never end",
      needs: ["load.create"],
      jobs
    ),
  ]

  /// Milliseconds that every check gets: the machine may be busy with something else.
  private static let shortest: UInt64 = 500

  private static let checks: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let instance = try subject.active()
    let checks = instance.host.state.withLock { $0.checks }
    var faults: [String] = []
    for (name, timeout, run) in checks {
      for round in 1...3 {
        subject.journal.step("running the check \"\(name)\", round \(round)")
        let limit = Duration.milliseconds(Int64(min(max(timeout, shortest), 10_000)))
        let answered = answers(instance, .report, limit, run)
        guard !answered else { continue }
        faults.append(
          "The check \"\(name)\" was not answered within \(limit); call health->report once each time."
        )
        break
      }
    }
    try ValidatorTest.Stop.unless(faults)
    try instance.finish()
    if checks.isEmpty { throw .skipped("it has no checks") }
    return "checks: \(checks.count)"
  }

  private static let services: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let instance = try subject.active()
    let services = instance.host.state.withLock { $0.services }
    var faults: [String] = []
    let method = Array("no_such_method".utf8)
    let arguments: [(String, [UInt8])] = [
      ("no argument", []), ("the argument {}", Array("{}".utf8)),
      ("an argument of random bytes", subject.random.bytes(500)),
      ("an argument of 1 MiB", Array(repeating: UInt8(ascii: "a"), count: 1 << 20)),
    ]
    for (name, serve) in services {
      for (words, argument) in arguments {
        subject.journal.step("calling the service \"\(name)\" with \(words)")
        let answered = answers(instance, .completion, subject.answerTime) { answer in
          serve(method, argument, answer)
        }
        guard !answered else { continue }
        faults.append(
          """
          The service "\(name)" with \(words) was not answered within \(subject.answerTime); end every call with \
          core->complete.
          """
        )
        break
      }
    }
    try ValidatorTest.Stop.unless(faults)
    try instance.finish()
    if services.isEmpty { throw .skipped("it serves no other plugin") }
    return "services: \(services.count)"
  }

  private static let events: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let instance = try subject.active()
    let subscriptions = instance.host.state.withLock { $0.subscriptions }
    let payloads = [Array("{}".utf8), Array("{\"n\":1}".utf8), Array("{\"a\":[{}]}".utf8)]
    for (topic, event) in subscriptions {
      for payload in payloads {
        subject.journal.step("delivering an event of \"\(topic)\"")
        _ = try instance.step("the event \(topic)") {
          event(topic, payload)
          return true
        }
      }
    }
    try instance.finish()
    if subscriptions.isEmpty { throw .skipped("it subscribes to nothing") }
    return "subscriptions: \(subscriptions.count)"
  }

  private static let jobs: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let instance = try subject.active()
    let periodic = instance.host.state.withLock { $0.periodic }
    for (name, work) in periodic {
      for _ in 1...3 {
        guard let job = instance.host.jobs.begin(name, hasThread: false) else { break }
        _ = try instance.step("the repeated job \"\(name)\"") {
          work(job)
          return true
        }
        instance.host.jobs.end(job)
      }
    }
    try instance.finish()
    if periodic.isEmpty { throw .skipped("it has no repeated jobs") }
    return "repeated jobs: \(periodic.count)"
  }

  /// Runs `call` on a worker with an operation, and waits for the answer and the return.
  private static func answers(
    _ instance: HostedInstance,
    _ kind: OperationTable.Kind,
    _ limit: Duration,
    _ call: @escaping @Sendable (gw_operation) -> Void
  ) -> Bool {
    let left = Monitor(2)
    let count: @Sendable () -> Void = {
      left.withLock { $0 -= 1 }
      left.wakeAll()
    }
    let answer = instance.host.open(kind) { _, _ in count() }
    ScriptedHost.workers?.submitOwed {
      call(answer)
      count()
    }
    let deadline = MonotonicClock.now + limit.nanoseconds
    return left.wait(until: deadline) { $0 == 0 ? true : nil } == true
  }
}
