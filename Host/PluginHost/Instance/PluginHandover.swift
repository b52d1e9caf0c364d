import CGatewayPlugin
import Glibc
import Synchronization

/// What a generation hands to the next: its state, and its jobs.
extension PluginInstance {
  /// State as versioned bytes.
  struct State: Sendable, Equatable {
    var schema: String
    var number: UInt32
    var bytes: [UInt8]
  }

  /// Which states a build writes and reads.
  struct Schema: Sendable, Equatable {
    var name: String
    var writes: UInt32
    var reads: ClosedRange<UInt32>
  }

  /// Bytes of one state.
  static let maxStateBytes = 256 * 1024 * 1024
  /// How long the self-test may take.
  static let selfTestLimit = Duration.seconds(5)

  /// Which states it writes and reads; `nil` when it keeps none.
  ///
  /// - Throws: `LifeError` when its table breaks the contract.
  func schema() throws(LifeError) -> Schema? {
    guard let table = unsafe table(GW_PLUGIN_STATE_1, as: gw_plugin_state_v1.self) else {
      return nil
    }
    let (from, to) = unsafe (table.pointee.reads_from, table.pointee.reads_to)
    guard let name = unsafe table.pointee.schema.text, (1...256).contains(name.utf8.count),
      from <= to
    else {
      throw .refused(
        step: "state",
        sentence:
          "gw_plugin_state_v1 has no schema name of 1 to 256 bytes, or reads_from is above reads_to"
      )
    }
    return unsafe Schema(name: name, writes: table.pointee.writes, reads: from...to)
  }

  /// The state of this generation, which is still alive.
  ///
  /// - Throws: `LifeError` when it does not give one.
  func snapshot() throws(LifeError) -> State? {
    guard let schema = try schema(),
      let table = unsafe table(GW_PLUGIN_STATE_1, as: gw_plugin_state_v1.self)
    else { return nil }
    let sink = StateSink()
    let snapshot = unsafe table.pointee.snapshot
    let plugin = declared.withLock { $0.plugin }
    try setUp("snapshot", .snapshot, limit: host.limits.handover) {
      // Kept for the whole call, also when nobody waits for it any more.
      withExtendedLifetime(sink) {
        let place = unsafe Unmanaged.passUnretained(sink).toOpaque()
        let status = unsafe snapshot(plugin.user, place) { place, bytes in
          guard let place = unsafe place else { return GW_E_ARGUMENT }
          return unsafe Unmanaged<StateSink>.fromOpaque(place).takeUnretainedValue().append(bytes)
        }
        return sink.isOver ? GW_E_LIMIT : status
      }
    }
    return State(schema: schema.name, number: schema.writes, bytes: sink.taken)
  }

  /// Gives this generation, created and not active yet, what the one before had.
  ///
  /// - Throws: `LifeError` when it cannot read it.
  func restore(_ state: State) throws(LifeError) {
    guard let table = unsafe table(GW_PLUGIN_STATE_1, as: gw_plugin_state_v1.self) else { return }
    let restore = unsafe table.pointee.restore
    let plugin = declared.withLock { $0.plugin }
    try setUp("restore", .restore, limit: host.limits.handover) {
      unsafe withLent(state.bytes) { bytes in
        unsafe restore(plugin.user, state.number, bytes)
      }
    }
  }

  /// Why this build cannot take over from `old`; `nil` when it can.
  static func obstacle(from old: Schema?, to new: Schema?) -> String? {
    guard let old else { return nil }
    guard let new else {
      return
        "the running build hands over the state \(old.name) \(old.writes), and this one takes none; give it gw.plugin.state/1, or drop the state with --force"
    }
    guard old.name == new.name, new.reads.contains(old.writes) else {
      return
        "the running build hands over the state \(old.name) \(old.writes), and this one reads \(new.name) \(new.reads.lowerBound) to \(new.reads.upperBound); install a build that reads it, or drop the state with --force"
    }
    return nil
  }

  /// Whether its jobs end at a replacement, to go on in the next generation.
  var movesJobs: Bool { unsafe table(GW_PLUGIN_JOBS_1, as: gw_plugin_jobs_v1.self) != nil }

  /// Has all jobs end, those that begin meanwhile too.
  ///
  /// - Parameter deadline: In nanoseconds of the monotonic clock.
  /// - Returns: Names of the jobs that have not; none when all have.
  func endJobs(by deadline: Int64) -> [String] {
    jobs.stopAll()
    return occupancy.hasLeft(.job, by: deadline) ? [] : jobs.running
  }

  /// Lets jobs begin again and has the plugin start those that `endJobs` ended.
  func resumeJobs() {
    jobs.resume()
    guard let table = unsafe table(GW_PLUGIN_JOBS_1, as: gw_plugin_jobs_v1.self) else { return }
    let resume = unsafe table.pointee.resume
    let plugin = declared.withLock { $0.plugin }
    do throws(LifeError) {
      try setUp("resume", .resume) {
        unsafe resume(plugin.user)
        return GW_OK
      }
    } catch {
      log(.error, "its jobs could not be resumed", [("error", "\(error)")])
    }
  }

  /// Has the plugin test itself, where it can.
  ///
  /// - Throws: `LifeError` when it says that it is not fit.
  func selfTest() throws(LifeError) {
    guard let table = unsafe table(GW_PLUGIN_SELFTEST_1, as: gw_plugin_selftest_v1.self) else {
      return
    }
    let run = unsafe table.pointee.run
    let plugin = declared.withLock { $0.plugin }
    try setUp("the self-test", .selftest, limit: Self.selfTestLimit) { unsafe run(plugin.user) }
  }

  private func table<Table>(_ id: String, as: Table.Type) -> UnsafePointer<Table>? {
    let plugin = declared.withLock { $0.plugin }
    return unsafe site.within(.interface) {
      unsafe library.descriptor.pointee.interface(plugin.user, id)?
        .assumingMemoryBound(to: Table.self)
    }
  }
}

/// Gathers the bytes of a snapshot.
private final class StateSink: Sendable {
  private struct Gathered {
    var bytes: [UInt8] = []
    var isOver = false
  }

  private let gathered = Mutex(Gathered())

  var taken: [UInt8] { gathered.withLock { $0.bytes } }

  /// Whether more than one state may have was written.
  var isOver: Bool { gathered.withLock { $0.isOver } }

  func append(_ bytes: gw_bytes) -> gw_status {
    guard unsafe !bytes.isMalformed else { return GW_E_ARGUMENT }
    let part = unsafe bytes.copied
    return gathered.withLock { gathered in
      guard gathered.bytes.count + part.count <= PluginInstance.maxStateBytes else {
        gathered.isOver = true
        return GW_E_LIMIT
      }
      gathered.bytes += part
      return GW_OK
    }
  }
}
