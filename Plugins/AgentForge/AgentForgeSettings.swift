package import GatewayPlugin
import Glibc

/// What the operator has decided for this plugin, in `plugins.d/20-agent-forge.json`.
package struct AgentForgeSettings: Sendable, Equatable {
  /// Runs that train at once.
  ///
  /// Default 1: one run uses all cores.
  package var maxRunning = 1

  /// Runs of one user that wait.
  ///
  /// Default 16. More get 429.
  package var maxQueuedPerUser = 16

  /// Runs of all users that wait.
  ///
  /// Default 256. More get 429.
  package var maxQueued = 256

  /// Runs of one user that are over and still shown, with curve, log and checkpoint.
  ///
  /// Default 100. Older ones are removed when a new one comes; their models stay.
  package var keptRunsPerUser = 100

  /// Seconds between two checkpoints of a run.
  ///
  /// Default 30. So much work at most is done again after a crash.
  package var checkpointSeconds = 30

  /// Bytes of memory that one run may hold by its plan.
  ///
  /// Default half of the machine's. A run that needs more fails before it begins, with both numbers.
  package var maxMemoryBytes = AgentForgeSettings.machineMemory / 2

  /// Bytes that must stay free on the disk.
  ///
  /// Default 1 GiB. Below, new runs get 507 and the health is degraded.
  package var minFreeBytes = 1 << 30

  /// Bytes of an archive that is brought in as a model, and of its numbers in memory.
  ///
  /// Default 1 GiB. A larger archive gets 413, a packed model that grows larger 422.
  package var maxImportBytes = 1 << 30

  /// In how many parts a batch is split, each with gradients of its own.
  ///
  /// Default 0: one for each core, never more than the batch has sequences. A run keeps its number for life, because
  /// results depend on it.
  package var shards = 0

  /// Threads that share the work of one run.
  ///
  /// Default 0: one for each core.
  package var threads = 0

  /// What answers are held to.
  package var chat = ChatSettings()

  package init() {}

  /// Reads the settings.
  ///
  /// - Parameter settings: Of the plugin's file.
  /// - Throws: `PluginFailure` that names every bad setting.
  package init(_ settings: Settings) throws(PluginFailure) {
    self = try settings.read { fields in
      var read = AgentForgeSettings()
      func set(_ path: WritableKeyPath<Self, Int>, _ name: String, _ range: ClosedRange<Int>) {
        read[keyPath: path] = fields.integer(name, range, default: read[keyPath: path])
      }
      set(\.maxRunning, "max_running", 1...16)
      set(\.maxQueuedPerUser, "max_queued_per_user", 1...1000)
      set(\.maxQueued, "max_queued", 1...10_000)
      set(\.keptRunsPerUser, "kept_runs_per_user", 1...10_000)
      set(\.checkpointSeconds, "checkpoint_seconds", 1...3600)
      set(\.maxMemoryBytes, "max_memory_bytes", (1 << 20)...(1 << 50))
      set(\.minFreeBytes, "min_free_bytes", 0...(1 << 50))
      set(\.maxImportBytes, "max_import_bytes", (1 << 20)...(1 << 40))
      set(\.shards, "shards", 0...64)
      set(\.threads, "threads", 0...256)
      if read.shards == 0 { read.shards = min(read.width, 64) }
      read.chat = ChatSettings(&fields)
      return read
    }
  }

  /// What the queue of runs is held to.
  package var limits: RunQueue.Limits {
    var limits = RunQueue.Limits()
    limits.maxRunning = maxRunning
    limits.waiting = RunStore.Limits(
      queuedPerUser: maxQueuedPerUser,
      queued: maxQueued,
      keptPerUser: keptRunsPerUser
    )
    limits.checkpointSeconds = checkpointSeconds
    limits.maxMemoryBytes = maxMemoryBytes
    return limits
  }

  /// How many threads are worth using.
  package var width: Int { threads > 0 ? threads : max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN))) }

  /// Bytes of memory of this machine.
  private static var machineMemory: Int {
    max(1 << 30, sysconf(Int32(_SC_PHYS_PAGES)) * sysconf(Int32(_SC_PAGESIZE)))
  }
}
