import CGatewayPlugin
import Glibc

/// What happens before a plugin serves.
enum LoadTests {
  static let all = [
    ValidatorTest(
      "load.entry",
      "an entry that is not pure, slow, or takes a host of another major version",
      needs: ["static.file"],
      entry
    ),
    ValidatorTest(
      "load.descriptor",
      "a descriptor of another contract, or with a bad id, version, text or function",
      needs: ["static.file"],
      descriptor
    ),
    ValidatorTest(
      "load.create",
      "create or activate that fails with these settings, or leaves quiesce unanswered",
      needs: ["load.descriptor"]
    ) { subject throws(ValidatorTest.Stop) in
      let instance = try subject.active()
      let host = instance.host.state.withLock { state in
        "routes: \(state.routes.count), checks: \(state.checks.count), services: \(state.services.count)"
      }
      try instance.finish()
      return host
    },
    ValidatorTest(
      "load.threads",
      "threads of its own, made before activate",
      needs: ["load.descriptor"],
      threads
    ),
    ValidatorTest(
      "load.unload",
      "code that is not unmapped although nothing known keeps it",
      needs: ["load.create"],
      unload
    ),
  ]

  private typealias Entry = @convention(c) (UInt32, UInt32) -> UnsafePointer<gw_plugin_v1>?

  /// How long the entry may take.
  private static let entryTime: Int64 = 50_000_000

  private static let entry: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    subject.journal.step("opening the library")
    guard let handle = unsafe dlopen(subject.path, RTLD_NOW | RTLD_LOCAL) else {
      throw .failed("The library cannot be opened: \(unsafe String(cString: dlerror())).")
    }
    guard let symbol = unsafe dlsym(handle, "gw_plugin_entry") else {
      throw .failed("It has no gw_plugin_entry; export that function.")
    }
    let entry = unsafe unsafeBitCast(symbol, to: Entry.self)
    subject.journal.step("calling gw_plugin_entry")
    // The quickest of three: the machine may have been busy with something else.
    var took = Int64.max
    var first: UnsafePointer<gw_plugin_v1>?
    for _ in 1...3 {
      let began = MonotonicClock.now
      unsafe first = entry(GW_ABI_MAJOR, GW_ABI_MINOR)
      took = min(took, MonotonicClock.now - began)
    }
    guard let first = unsafe first else {
      throw .failed(
        "gw_plugin_entry(\(GW_ABI_MAJOR), \(GW_ABI_MINOR)) gave NULL; serve this host, or build for it."
      )
    }
    var faults: [String] = []
    if took > entryTime {
      faults.append(
        "gw_plugin_entry took \(took / 1_000_000) ms; it must take less than 50: leave work to create."
      )
    }
    if unsafe entry(GW_ABI_MAJOR, GW_ABI_MINOR) != first {
      faults.append("gw_plugin_entry gave two descriptors; give the same static one each time.")
    }
    if unsafe entry(GW_ABI_MAJOR, GW_ABI_MINOR + 7) == nil {
      faults.append(
        "gw_plugin_entry refused a later minor version; every minor fits, what it lacks is asked for by id."
      )
    }
    for major in [0, GW_ABI_MAJOR + 1, UInt32.max] where unsafe entry(major, 0) != nil {
      faults.append(
        "gw_plugin_entry took a host of major version \(major); give NULL unless it is GW_ABI_MAJOR."
      )
    }
    try ValidatorTest.Stop.unless(faults)
    return ""
  }

  private static let descriptor: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let library = try subject.library()
    var faults: [String] = []
    let raw = unsafe library.descriptor.pointee
    if unsafe raw.flags != 0 {
      faults.append("gw_plugin_v1.flags is \(unsafe raw.flags); set it to 0.")
    }
    if unsafe raw.abi_minor > GW_ABI_MINOR + 100 {
      faults.append("gw_plugin_v1.abi_minor is \(unsafe raw.abi_minor); set it to GW_ABI_MINOR.")
    }
    if unsafe raw.description.text?.isEmpty ?? true {
      faults.append("gw_plugin_v1.description is empty or not UTF-8; write one sentence.")
    }
    try ValidatorTest.Stop.unless(faults)
    return "\(library.id) \(library.version)"
  }

  private static let threads: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    var before = ThreadCensus.own()
    func look(_ step: String) throws(ValidatorTest.Stop) {
      let names = ThreadCensus.foreign(since: before)
      guard !names.isEmpty else { return }
      throw .failed(
        """
        \(step) made threads of the plugin's own (\(names.count): \(names.prefix(3).joined(separator: ", "))), which \
        outlive its code at a swap; take threads from gw.jobs/1.
        """
      )
    }
    _ = try subject.library()
    try look("opening the library")
    let instance = try subject.instance()
    // The thread that the call of create itself runs on is the host's.
    before = ThreadCensus.own()
    let refusal = try instance.tryToCreate(subject.settings)
    try look("create")
    if refusal == nil { try instance.destroy() }
    return ""
  }

  private static let unload: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let before = ThreadCensus.own()
    let library = try subject.library()
    do {
      let instance = try subject.active()
      try instance.finish()
    }
    library.noteForeignThreads(ThreadCensus.foreign(since: before))
    let tie = library.tie
    subject.journal.step("unloading the library")
    switch library.close() {
    case .unloaded: return "unloaded"
    case .retired(let reason):
      guard tie != nil else {
        throw .failed(
          "It stays mapped after dlclose: \(reason); leave no thread-local destructors and no open references."
        )
      }
      return "stays mapped: \(reason)"
    }
  }
}
