import Glibc
import PluginStorage
import Synchronization

/// Looks at this machine, as often as it is asked.
package final class Meter: Sendable {
  /// Between two questions for the GPUs, which take a program.
  private static let gpuPause: UInt64 = 60_000_000_000

  private struct Memory {
    var times: ProcessorFacts.Times?
    var load = 0.0
    var gpus: [String] = []
    var askedGPUs: UInt64?
  }

  private let directory: String
  private let memory = Mutex(Memory())

  /// A meter that has not looked.
  ///
  /// - Parameter directory: On the disk whose room counts.
  package init(directory: String) { self.directory = directory }

  /// What the machine has and uses now; may block for the tool that knows the GPUs.
  package func look() -> Measurement {
    var found = Measurement()
    let place = try? ControlGroupPlace(
      groups: SystemFile.text("/proc/self/cgroup") ?? "",
      mounts: SystemFile.text("/proc/self/mountinfo") ?? ""
    )
    let cores = ProcessorFacts.cores(status: SystemFile.text("/proc/self/status") ?? "")
    let all = (cores ?? max(1, sysconf(Int32(_SC_NPROCESSORS_ONLN)))) * 1000
    found.millicores = min(all, place.flatMap(Self.quota) ?? all)
    if let machine = MemoryFacts.amount(meminfo: SystemFile.text("/proc/meminfo") ?? "") {
      let own = place.map { Self.memory($0, machine) } ?? machine
      found.memoryMegabytes = own.total >> 20
      found.memoryFreeMegabytes = own.available >> 20
    }
    if let space = try? Folder.space(directory) {
      found.diskMegabytes = space.total >> 20
      found.diskFreeMegabytes = space.free >> 20
    }
    found.hostname = (SystemFile.text("/proc/sys/kernel/hostname") ?? "").filter { !$0.isNewline }
    (found.load, found.gpus) = moving()
    return found
  }

  /// What changes with time: the load since the look before, and the GPUs.
  private func moving() -> (load: Double, gpus: [String]) {
    let now = Clock.monotonic()
    let asks = memory.withLock { memory in
      if let asked = memory.askedGPUs, now < asked + Self.gpuPause { return false }
      memory.askedGPUs = now
      return true
    }
    if asks, let program = GPUFacts.programs.first(where: SystemFile.exists) {
      let names = GPUFacts.names(BoundedCommand.output(of: program, GPUFacts.arguments) ?? "")
      memory.withLock { $0.gpus = names }
    }
    let times = ProcessorFacts.times(stat: SystemFile.text("/proc/stat") ?? "")
    return memory.withLock { memory in
      if let times {
        // Two looks in the same tick say nothing; then the load before stands.
        if let before = memory.times, times.total > before.total {
          memory.load = ProcessorFacts.load(from: before, to: times)
          memory.times = times
        } else if memory.times == nil {
          memory.times = times
        }
      }
      return (memory.load, memory.gpus)
    }
  }

  /// What the group of this process may use of the processors.
  private static func quota(_ place: ControlGroupPlace) -> Int? {
    switch place.trees {
    case .unified(let path):
      return ancestors(path).compactMap { folder in
        SystemFile.text("\(folder)/cpu.max").flatMap(ProcessorFacts.millicores(quota:))
      }.min()
    case .separate(_, _, let time, _):
      return ancestors(time).compactMap { folder in
        guard let quota = number("\(folder)/cpu.cfs_quota_us"),
          let period = number("\(folder)/cpu.cfs_period_us")
        else { return nil }
        return ProcessorFacts.millicores(quota: quota, period: period)
      }.min()
    }
  }

  /// What the group of this process may use of the memory.
  private static func memory(
    _ place: ControlGroupPlace,
    _ machine: MemoryFacts.Amount
  ) -> MemoryFacts.Amount {
    let (path, limit, used) =
      switch place.trees {
      case .unified(let path): (path, "memory.max", "memory.current")
      case .separate(let memory, _, _, _):
        (memory, "memory.limit_in_bytes", "memory.usage_in_bytes")
      }
    return ancestors(path).reduce(machine) { amount, folder in
      amount.within(
        limit: SystemFile.text("\(folder)/\(limit)").flatMap(MemoryFacts.limit),
        used: number("\(folder)/\(used)") ?? 0
      )
    }
  }

  /// A group and those above it, as far as they can be control groups.
  private static func ancestors(_ path: String) -> [String] {
    var found: [String] = []
    var rest = path[...]
    while !rest.isEmpty, found.count < 32, SystemFile.exists("\(rest)/cgroup.procs") {
      found.append(String(rest))
      guard let slash = rest.lastIndex(of: "/") else { break }
      rest = rest[..<slash]
    }
    return found
  }

  private static func number(_ path: String) -> Int? {
    SystemFile.text(path).flatMap { Int($0.filter { !$0.isNewline }) }
  }
}
