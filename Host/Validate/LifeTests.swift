/// Whole lives of instances.
enum LifeTests {
  static let all = [
    ValidatorTest(
      "life.quiesce",
      "quiesce without an answer, or jobs that go on",
      needs: ["load.create"]
    ) { subject throws(ValidatorTest.Stop) in
      let instance = try subject.active()
      let began = MonotonicClock.now
      try instance.finish()
      return "\((MonotonicClock.now - began) / 1_000_000) ms"
    },
    ValidatorTest(
      "life.two",
      "two instances at once that disturb each other",
      needs: ["load.create"],
      two
    ),
    ValidatorTest(
      "life.cycles",
      "memory, threads or descriptors that grow over \(cycles) lives",
      needs: ["load.create"],
      limit: .seconds(90),
      grows
    ),
  ]

  /// Lives of instances, all of one loaded library.
  private static let cycles = 1000
  /// Lives before anything is measured: caches fill, the allocator takes its arenas.
  private static let warmUp = 200
  /// Bytes that resident memory may grow by in the lives after that.
  private static let growth = 2 * 1024 * 1024

  private static let two: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let data = try subject.newDirectory()
    var script = ScriptedHost.Script()
    script.circumstances = " with two instances alive"
    let first = try subject.active(script, data: data)
    let second = try subject.active(script, data: data)
    var requests: [ScriptedRequest] = []
    func ask(_ instance: HostedInstance) throws(ValidatorTest.Stop) {
      let driver = RequestDriver(instance, subject)
      for route in instance.host.routes {
        let (request, hasReturned) = driver.run(route, RequestCourse("two instances alive"))
        requests.append(request)
        guard hasReturned else { throw .failed(RequestTests.summary(requests)) }
      }
    }
    try ask(first)
    try ask(second)
    try first.finish()
    subject.journal.step("serving with the second instance, the first being destroyed")
    try ask(second)
    try second.finish()
    let faults = RequestTests.summary(requests)
    try ValidatorTest.Stop.unless(faults)
    return ""
  }

  private static let grows: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    var script = ScriptedHost.Script()
    script.isTold = false
    let data = try subject.newDirectory()
    var before = Footprint.now()
    for cycle in 1...cycles {
      if cycle % 100 == 1 { subject.journal.step("living life \(cycle)") }
      let instance = try subject.active(script, data: data)
      try instance.finish()
      if cycle == warmUp { before = .now() }
      // A large leak is known early.
      guard cycle % 50 == 0, cycle > warmUp || Footprint.now().memory > before.memory + 64 * growth
      else { continue }
      try compare(.now(), before, cycle - min(warmUp, cycle - 1))
    }
    let grown = max(Footprint.now().memory - before.memory, 0) / 1024
    return "\(cycles) lives, \(grown) KiB more in the last \(cycles - warmUp)"
  }

  private static func compare(
    _ now: Footprint,
    _ before: Footprint,
    _ lives: Int
  ) throws(ValidatorTest.Stop) {
    var faults: [String] = []
    let grown = now.memory - before.memory
    if grown > growth {
      faults.append(
        """
        Memory grew by \(grown / 1024) KiB in \(lives) lives (limit \(growth / 1024)); free in destroy what create and \
        activate take.
        """
      )
    }
    if now.descriptors > before.descriptors + 4 {
      faults.append(
        "\(now.descriptors - before.descriptors) descriptors were left open; close them in destroy."
      )
    }
    if now.threads > before.threads + 4 {
      faults.append(
        "\(now.threads - before.threads) threads were left running; end them in quiesce."
      )
    }
    try ValidatorTest.Stop.unless(faults)
  }
}

/// What the process holds of the machine.
struct Footprint: Sendable {
  /// Bytes of anonymous memory that are resident.
  let memory: Int
  let threads: Int
  let descriptors: Int

  static func now() -> Footprint {
    let status = (try? FileBytes.read("/proc/self/status", limit: 65_536)) ?? []
    let lines = String(decoding: status, as: UTF8.self).split(separator: "\n")
    func number(_ name: String) -> Int {
      let line = lines.first { $0.hasPrefix(name) } ?? ""
      return Int(line.filter { $0.isNumber }) ?? 0
    }
    return Footprint(
      memory: number("RssAnon:") * 1024,
      threads: number("Threads:"),
      descriptors: Directory.names(in: "/proc/self/fd").count
    )
  }
}
