import Glibc
import PluginStorage

/// The control group of one job, of version 1 or 2: its limits, what it has used, and its end.
package final class ControlGroup: Sendable {
  /// What the processes of the group may have together.
  package struct Limits: Sendable, Equatable {
    package var memoryBytes: Int
    /// Thousandths of a core.
    package var millicores: Int
    package var processes: Int

    package init(memoryBytes: Int, millicores: Int, processes: Int) {
      self.memoryBytes = memoryBytes
      self.millicores = millicores
      self.processes = processes
    }
  }

  /// The period over which processor time is limited, in microseconds; the kernel's default.
  static let period = 100_000

  private let place: ControlGroupPlace
  private let name: String

  /// A group that may be there already, from an earlier life of the gateway.
  ///
  /// - Parameters:
  ///   - name: Of the group; no path.
  ///   - place: Where it stands.
  package init(existing name: String, in place: ControlGroupPlace) {
    self.name = name
    self.place = place
  }

  /// Makes a group with limits.
  ///
  /// - Parameters:
  ///   - name: Of the group; no path.
  ///   - place: Where it is made.
  ///   - limits: Written before anything can run in it.
  /// - Throws: `IsolationRefusal` with the file and the kernel's reason; nothing is left then.
  package init(
    making name: String,
    in place: ControlGroupPlace,
    _ limits: Limits
  ) throws(IsolationRefusal) {
    self.name = name
    self.place = place
    do throws(IsolationRefusal) {
      for folder in folders {
        guard unsafe mkdir(folder, 0o700) == 0 || errno == EEXIST else {
          throw Self.refusal("made", folder, .last("mkdir"))
        }
      }
      for (file, text, isNeeded) in settings(limits) {
        do throws(StorageError) { try SystemFile.write(text, to: file) } catch {
          if isNeeded { throw Self.refusal("written", file, error) }
        }
      }
    } catch {
      remove()
      throw error
    }
  }

  private static func refusal(
    _ what: String,
    _ path: String,
    _ error: StorageError
  ) -> IsolationRefusal {
    IsolationRefusal(
      "the control group file \(path) cannot be \(what) (\(error)); run the gateway as root, or as a service with Delegate=yes"
    )
  }

  /// Folders of the group, each once.
  private var folders: [String] {
    switch place.trees {
    case .unified(let path): ["\(path)/\(name)"]
    case .separate(let memory, let processes, let time, let accounting):
      [memory, processes, time, accounting].reduce(into: []) { folders, path in
        let folder = "\(path)/\(name)"
        if !folders.contains(folder) { folders.append(folder) }
      }
    }
  }

  /// Files to write, and whether the group is of no use without.
  private func settings(_ limits: Limits) -> [(file: String, text: String, isNeeded: Bool)] {
    let quota = max(1000, limits.millicores * Self.period / 1000)
    switch place.trees {
    case .unified(let path):
      let group = "\(path)/\(name)"
      return [
        ("\(group)/memory.max", "\(limits.memoryBytes)", true),
        ("\(group)/memory.swap.max", "0", false),
        ("\(group)/memory.oom.group", "1", false),
        ("\(group)/pids.max", "\(limits.processes)", true),
        ("\(group)/cpu.max", "\(quota) \(Self.period)", true),
      ]
    case .separate(let memory, let processes, let time, _):
      return [
        ("\(memory)/\(name)/memory.limit_in_bytes", "\(limits.memoryBytes)", true),
        // Memory and swap together; absent where the kernel does not account for swap.
        ("\(memory)/\(name)/memory.memsw.limit_in_bytes", "\(limits.memoryBytes)", false),
        ("\(memory)/\(name)/memory.swappiness", "0", false),
        ("\(processes)/\(name)/pids.max", "\(limits.processes)", true),
        ("\(time)/\(name)/cpu.cfs_period_us", "\(Self.period)", true),
        ("\(time)/\(name)/cpu.cfs_quota_us", "\(quota)", true),
      ]
    }
  }

  // MARK: - Joining

  /// Files into which a process writes `0` to become a member.
  package var doors: [String] { folders.map { $0 + "/cgroup.procs" } }

  // MARK: - What was used

  /// What a group has used since it was made.
  package struct Use: Sendable, Equatable {
    package var cpuMilliseconds = 0
    package var memoryPeakBytes = 0
    /// Processes that the kernel ended because the group had no memory left.
    package var memoryKills = 0
  }

  /// What its processes have used, those that have ended included.
  package var use: Use {
    var use = Use()
    switch place.trees {
    case .unified(let path):
      let group = "\(path)/\(name)"
      use.cpuMilliseconds = (Self.value("usage_usec", in: "\(group)/cpu.stat") ?? 0) / 1000
      use.memoryPeakBytes =
        Self.number("\(group)/memory.peak") ?? Self.number("\(group)/memory.current") ?? 0
      use.memoryKills = Self.value("oom_kill", in: "\(group)/memory.events") ?? 0
    case .separate(let memory, _, _, let accounting):
      use.cpuMilliseconds = (Self.number("\(accounting)/\(name)/cpuacct.usage") ?? 0) / 1_000_000
      use.memoryPeakBytes = Self.number("\(memory)/\(name)/memory.max_usage_in_bytes") ?? 0
      use.memoryKills = Self.value("oom_kill", in: "\(memory)/\(name)/memory.oom_control") ?? 0
    }
    return use
  }

  private static func number(_ path: String) -> Int? {
    SystemFile.text(path).flatMap { Int($0.prefix { $0 != "\n" }) }
  }

  /// The number after a word at a line's beginning.
  private static func value(_ word: String, in path: String) -> Int? {
    for line in SystemFile.text(path)?.split(separator: "\n") ?? [] {
      let parts = line.split(separator: " ")
      if parts.count == 2, parts[0] == word { return Int(parts[1]) }
    }
    return nil
  }

  // MARK: - Ending

  /// Processes that are in the group now.
  package var members: [Int32] {
    Set(
      doors.flatMap { (SystemFile.text($0) ?? "").split(separator: "\n").compactMap { pid_t($0) } }
    )
    .sorted()
  }

  /// Kills every process of the group, those included that are made meanwhile; returns when none is left, or after 5 s.
  ///
  /// - Returns: Whether none is left.
  @discardableResult
  package func kill() -> Bool {
    let deadline = Clock.monotonic() + 5_000_000_000
    while true {
      if case .unified(let path) = place.trees {
        // Since Linux 5.14; elsewhere one by one, which a limit on processes makes come to an end.
        try? SystemFile.write("1", to: "\(path)/\(name)/cgroup.kill")
      }
      let left = members
      if left.isEmpty { return true }
      for member in left where member != getpid() { _ = Glibc.kill(member, SIGKILL) }
      guard Clock.monotonic() < deadline else { return false }
      _ = poll(nil, 0, 2)
    }
  }

  /// Removes the group; its processes must have ended.
  ///
  /// - Returns: Whether nothing of it is left.
  @discardableResult
  package func remove() -> Bool {
    let deadline = Clock.monotonic() + 2_000_000_000
    while true {
      // The last process leaves a little after it was reaped.
      let isGone = folders.allSatisfy { unsafe rmdir($0) == 0 || errno == ENOENT }
      if isGone || Clock.monotonic() > deadline { return isGone }
      _ = poll(nil, 0, 2)
    }
  }
}
