import CGatewayPlugin

/// The hand-over of state, and the plugin's own tables for a swap.
enum StateTests {
  static let all = [
    ValidatorTest(
      "state.handover",
      "state that is not the same after snapshot, restore and snapshot",
      needs: ["load.create"],
      handover
    ),
    ValidatorTest(
      "state.garbage",
      "a restore that takes garbage or an unknown schema, or crashes on it",
      needs: ["load.create"],
      garbage
    ),
    ValidatorTest("state.jobs", "a resume that crashes or hangs", needs: ["load.create"]) {
      subject throws(ValidatorTest.Stop) in
      let instance = try subject.active()
      guard let table = unsafe instance.interface(GW_PLUGIN_JOBS_1, as: gw_plugin_jobs_v1.self)
      else {
        try instance.finish()
        throw .skipped("its jobs do not move")
      }
      let resume = unsafe Callback(table.pointee.resume, user: instance.plugin)
      for _ in 1...2 {
        _ = try instance.step("resume") {
          unsafe resume.function(resume.user)
          return true
        }
      }
      try instance.finish()
      return ""
    },
    ValidatorTest("state.selftest", "a self-test that fails", needs: ["load.create"]) {
      subject throws(ValidatorTest.Stop) in
      let instance = try subject.instance()
      try instance.create(subject.settings)
      guard
        let table = unsafe instance.interface(GW_PLUGIN_SELFTEST_1, as: gw_plugin_selftest_v1.self)
      else {
        try instance.destroy()
        throw .skipped("it has no self-test")
      }
      let run = unsafe Callback(table.pointee.run, user: instance.plugin)
      let outcome = try instance.step("selftest") {
        HostedInstance.Refusal(
          status: unsafe run.function(run.user),
          sentence: instance.host.takeSentence()
        )
      }
      guard outcome.status >= 0 else { throw .failed(HostedInstance.words("selftest", outcome)) }
      try instance.destroy()
      return ""
    },
  ]

  private static let none = "it hands no state over"

  private static func table(_ instance: HostedInstance) throws(ValidatorTest.Stop)
    -> gw_plugin_state_v1?
  {
    guard let table = unsafe instance.interface(GW_PLUGIN_STATE_1, as: gw_plugin_state_v1.self)
    else { return nil }
    let raw = unsafe table.pointee
    let reads = unsafe raw.reads_from...max(raw.reads_from, raw.reads_to)
    guard unsafe raw.reads_from <= raw.reads_to, unsafe reads.contains(raw.writes),
      unsafe raw.schema.text?.isEmpty == false
    else {
      throw .failed(
        """
        gw_plugin_state_v1 has no schema name, or this build cannot read what it writes; name the schema and let \
        reads_from...reads_to contain writes.
        """
      )
    }
    return unsafe raw
  }

  private static let handover: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let data = try subject.newDirectory()
    let old = try subject.active(data: data)
    guard let state = unsafe try table(old) else {
      try old.finish()
      throw .skipped(none)
    }
    // Something to hand over.
    let driver = RequestDriver(old, subject)
    for route in old.host.routes where route.method == "GET" {
      _ = driver.run(route, RequestCourse("an empty body"))
    }
    let first = try unsafe snapshot(old, state)
    let new = try subject.instance(data: data)
    try new.create(subject.settings)
    guard let newState = unsafe try table(new) else {
      throw .failed("The second instance gives no table for \(GW_PLUGIN_STATE_1); give it always.")
    }
    if let refusal = try unsafe restore(new, newState, unsafe state.writes, first) {
      throw .failed(
        "\(HostedInstance.words("restore", refusal)) It was given what snapshot had written."
      )
    }
    let second = try unsafe snapshot(new, newState)
    guard first == second else {
      throw .failed(
        """
        snapshot gave \(second.count) other bytes after restore (\(first.count) before, first difference at byte \
        \(zip(first, second).prefix { $0 == $1 }.count)); write the state so that it comes back the same.
        """
      )
    }
    try new.activate()
    try old.finish()
    try new.finish()
    return "\(first.count) bytes"
  }

  private static let garbage: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let probe = try subject.active()
    guard let state = unsafe try table(probe) else {
      try probe.finish()
      throw .skipped(none)
    }
    let good = try unsafe snapshot(probe, state)
    let number = unsafe state.writes
    try probe.finish()
    let unread = unsafe state.reads_to == .max ? state.reads_from - 1 : state.reads_to + 1
    let cases: [(String, UInt32, [UInt8], mustFail: Bool)] = [
      ("an unknown schema number", unread, good, true),
      ("random bytes", number, [0xFF] + subject.random.bytes(400), true),
      ("nothing", number, [], false),
      ("half of it", number, Array(good.prefix(good.count / 2)), false),
      ("1 MiB of zeros", number, Array(repeating: 0, count: 1 << 20), true),
    ]
    for (words, number, bytes, mustFail) in cases {
      let instance = try subject.instance()
      try instance.create(subject.settings)
      guard let state = unsafe try table(instance) else { throw .skipped(none) }
      subject.journal.step("restoring \(words)")
      let refusal = try unsafe restore(instance, state, number, bytes)
      if refusal == nil, mustFail {
        throw .failed(
          "restore took \(words) as state; check what it gets, and return GW_E_SCHEMA or another error."
        )
      }
      subject.journal.step("destroying an instance after restoring \(words)")
      try instance.destroy()
      try ValidatorTest.Stop.unless(instance.host.breaches)
    }
    return ""
  }

  private static func snapshot(
    _ instance: HostedInstance,
    _ table: gw_plugin_state_v1
  ) throws(ValidatorTest.Stop) -> [UInt8] {
    let call = unsafe Callback(table.snapshot, user: instance.plugin)
    let sink = Monitor<[UInt8]>([])
    let outcome = try instance.step("snapshot") {
      let status = unsafe call.function(call.user, Unmanaged.passUnretained(sink).toOpaque()) {
        sink,
        bytes in
        guard let sink = unsafe sink else { return GW_E_ARGUMENT }
        let copy = unsafe bytes.copied
        let state = unsafe Unmanaged<Monitor<[UInt8]>>.fromOpaque(sink).takeUnretainedValue()
        state.withLock { $0 += copy }
        return GW_OK
      }
      return HostedInstance.Refusal(status: status, sentence: instance.host.takeSentence())
    }
    guard outcome.status >= 0 else { throw .failed(HostedInstance.words("snapshot", outcome)) }
    return sink.withLock { $0 }
  }

  private static func restore(
    _ instance: HostedInstance,
    _ table: gw_plugin_state_v1,
    _ number: UInt32,
    _ bytes: [UInt8]
  ) throws(ValidatorTest.Stop) -> HostedInstance.Refusal? {
    let call = unsafe Callback(table.restore, user: instance.plugin)
    let outcome = try instance.step("restore") {
      let status = unsafe LentRequest().withBytes(bytes) {
        unsafe call.function(call.user, number, $0)
      }
      return HostedInstance.Refusal(status: status, sentence: instance.host.takeSentence())
    }
    return outcome.status < 0 ? outcome : nil
  }
}
