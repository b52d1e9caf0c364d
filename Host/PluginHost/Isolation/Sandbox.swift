import CLinux
import Glibc

/// What the kernel keeps a plugin's process from; applied by that process before the plugin's code is loaded.
enum Sandbox {
  /// Open files of one process.
  static let maxFiles: UInt64 = 4096
  /// Threads and processes of the user, as far as this process may add to them.
  static let maxTasks: UInt64 = 4096

  /// What everyone may read: libraries, their settings, time zones, the machine's description.
  private static let system = [
    "/usr", "/lib", "/lib64", "/bin", "/etc", "/proc", "/sys", "/run/systemd/resolve",
  ]
  /// The devices that programs take for granted.
  private static let devices = [
    "/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom",
  ]

  /// Binds this process and all it starts; on the main thread, before there is another.
  ///
  /// - Parameter order: What it is to run, and its grants.
  /// - Returns: The layers that hold, and those that this kernel does not have.
  static func enter(_ order: LoadOrder) -> (holding: [String], missing: [String]) {
    _ = linux_lower_limit(CInt(RLIMIT_NOFILE.rawValue), maxFiles)
    _ = linux_lower_limit(CInt(__RLIMIT_NPROC.rawValue), maxTasks)
    var holding = ["rlimits"]
    var missing: [String] = []
    func note(_ name: String, _ result: CInt) {
      if result < 0 { missing.append(name) } else { holding.append(name) }
    }
    note("no-new-privs", linux_no_new_privileges())
    note("no-capabilities", linux_drop_capabilities())
    note("landlock", enterLandlock(order))
    let version = linux_landlock_version()
    // Parts that Landlock has got later: versions 3 and 6.
    if (1..<3).contains(version) { missing.append("truncation-of-others") }
    if (1..<6).contains(version) { missing.append("signals-to-others") }
    note("seccomp", linux_seccomp_filter(order.grants.network ? 1 : 0, order.grants.spawn ? 1 : 0))
    return (holding, missing)
  }

  /// Bounds the private memory that comes on top of what the process has now.
  ///
  /// Counted are all writable private pages of the address space, thread stacks among them, used or not.
  static func limitMemory(_ bytes: UInt64) {
    guard bytes > 0, let status = try? FileBytes.read("/proc/self/status", limit: 64 * 1024)
    else { return }
    let text = String(decoding: status, as: UTF8.self)
    let line = text.split(separator: "\n").first { $0.hasPrefix("VmData:") }
    let kilobytes = line.flatMap { UInt64($0.filter(\.isNumber)) } ?? 0
    _ = linux_lower_limit(CInt(RLIMIT_DATA.rawValue), kilobytes * 1024 + bytes)
  }

  private static func enterLandlock(_ order: LoadOrder) -> CInt {
    let version = linux_landlock_version()
    guard version > 0 else { return -ENOSYS }
    let raw = linux_landlock_ruleset(version)
    guard raw >= 0 else { return raw }
    let ruleset = Descriptor(adopting: raw)
    let all = linux_landlock_rights(version)
    let reading = UInt64(1 << 2 | 1 << 3)
    let running = order.grants.spawn ? reading | 1 : reading
    // What does not exist here needs no rule.
    for path in system { _ = unsafe linux_landlock_allow(ruleset.raw, path, running) }
    for path in devices {
      _ = unsafe linux_landlock_allow(ruleset.raw, path, reading | 1 << 1)
    }
    for path in [order.library] + order.grants.readable {
      _ = unsafe linux_landlock_allow(ruleset.raw, path, running)
    }
    let own = order.directory.isEmpty ? [] : [order.directory]
    for path in own + order.grants.writable {
      _ = unsafe linux_landlock_allow(ruleset.raw, path, all)
    }
    return linux_landlock_enter(ruleset.raw)
  }
}
