import CGatewayPlugin

/// How a plugin copes with a host that lacks or refuses something, and with settings of any kind.
enum ContractTests {
  static let all = [
    ValidatorTest(
      "contract.settings",
      "create that crashes on settings, or refuses them without a sentence",
      needs: ["load.descriptor"],
      settings
    ),
    ValidatorTest(
      "contract.unknown",
      "a table given for an interface id that is not the plugin's",
      needs: ["load.create"],
      unknown
    ),
    ValidatorTest(
      "contract.withheld",
      "a host that lacks an interface: each in turn, and all",
      needs: ["load.create"],
      limit: .seconds(30),
      withheld
    ),
    ValidatorTest(
      "contract.refused",
      "a host that refuses a call in create or activate: each in turn",
      needs: ["load.create"],
      limit: .seconds(60),
      refused
    ),
  ]

  private static let settings: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let huge = "{\"greeting\":\"" + String(repeating: "x", count: 1_000_000) + "\"}"
    let cases: [(String, [UInt8])] = [
      ("its own settings", subject.settings), ("the settings {}", Array("{}".utf8)),
      ("no settings", []), ("settings that are no JSON", Array("{\"a\":".utf8)),
      ("settings of random bytes", subject.random.bytes(300)),
      ("a list as settings", Array("[1,2]".utf8)), ("the settings null", Array("null".utf8)),
      ("unknown settings", Array("{\"no_such_setting\":1}".utf8)),
      ("settings of a megabyte", Array(huge.utf8)),
      ("100,000 nested lists as settings", Array(repeating: UInt8(ascii: "["), count: 100_000)),
    ]
    var refusals = 0
    for (words, bytes) in cases {
      let instance = try subject.instance(script(" with \(words)"))
      if let refusal = try instance.tryToCreate(bytes) {
        refusals += 1
        try check(refusal, "create", words)
      } else {
        try instance.destroy()
      }
      try ValidatorTest.Stop.unless(instance.host.breaches)
    }
    return "\(refusals) of \(cases.count) refused with a sentence"
  }

  private static let unknown: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let instance = try subject.active()
    let long = String(repeating: "x", count: 10_000)
    for id in ["gw.plugin.teleport/1", "gw.plugin.state/99", "", "gw.plugin.state", long] {
      subject.journal.step("asking for the interface \"\(id.prefix(40))\"")
      guard unsafe instance.interface(id, as: UInt8.self) == nil else {
        throw .failed(
          """
          The plugin's interface gave a table for \(String(id.prefix(40)).debugDescription), an id it cannot know; \
          give NULL for every id but your own.
          """
        )
      }
    }
    try instance.finish()
    return ""
  }

  private static let withheld: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    var done: [String] = []
    let all = ScriptedTables.optional
    for missing in all.map({ [$0] }) + [all, all + [GW_CORE_1]] {
      let words =
        missing.count == 1 ? "without \(missing[0])" : "without \(missing.count) interfaces"
      var script = script(" \(words)")
      script.withheld = Set(missing)
      let instance = try subject.instance(script)
      // Without core there is no way to give a reason.
      let canExplain = !missing.contains(GW_CORE_1)
      if let refusal = try instance.tryToCreate(subject.settings) {
        if canExplain { try check(refusal, "create", words) }
      } else if let refusal = try instance.tryToActivate() {
        if canExplain { try check(refusal, "activate", words) }
      } else if canExplain {
        try instance.finish()
        done.append(contentsOf: missing.count == 1 ? missing : [])
        continue
      }
      try ValidatorTest.Stop.unless(instance.host.breaches)
    }
    return done.isEmpty ? "needs all" : "does without \(done.joined(separator: ", "))"
  }

  private static let refused: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let first = try subject.active()
    try first.finish()
    let calls = first.host.state.withLock { $0.calls }
    // Many calls of one function fail alike: the first ones and the last say it.
    let chosen = calls.filter { call in
      call.number <= 8 || !calls.contains { $0.name == call.name && $0.number > call.number }
    }
    let statuses = [GW_E_LIMIT, GW_E_DENIED, GW_E_INTERNAL, GW_E_UNSUPPORTED, GW_E_ARGUMENT, -99]
    for call in chosen {
      let status = statuses.randomElement(using: &subject.random) ?? GW_E_INTERNAL
      let words = "when call \(call.number) of \(call.name) gives \(Status.name(status))"
      var script = script(" \(words)")
      script.refused = (call, status)
      let instance = try subject.instance(script)
      if let refusal = try instance.tryToCreate(subject.settings) {
        try check(refusal, "create", words)
      } else if let refusal = try instance.tryToActivate() {
        try check(refusal, "activate", words)
      } else {
        try instance.finish()
      }
    }
    return "calls refused in turn: \(chosen.count)"
  }

  private static func script(_ circumstances: String) -> ScriptedHost.Script {
    var script = ScriptedHost.Script()
    script.circumstances = circumstances
    return script
  }

  /// Whether a failure is one that the contract allows.
  private static func check(
    _ refusal: HostedInstance.Refusal,
    _ step: String,
    _ words: String
  ) throws(ValidatorTest.Stop) {
    guard refusal.status < 0 else {
      throw .failed(
        "\(step) \(words) returned \(refusal.status); return GW_OK, or a status below 0."
      )
    }
    guard let sentence = refusal.sentence, !sentence.isEmpty else {
      throw .failed(
        """
        \(step) \(words) failed (\(Status.name(refusal.status))) and gave no reason; say why with core->set_error.
        """
      )
    }
  }
}
