/// A command to be run in a sandbox.
package struct SandboxOrder: Sendable {
  /// The program and its arguments; a program without a slash is looked up in `path`.
  package var command: [String]
  package var environment: [(name: String, value: String)]
  /// Folder of this job; becomes `/work`, where the command begins.
  package var work: String
  /// Folder of this job; becomes `/tmp`.
  package var temporary: String
  /// Folder with the files `passwd` and `group` that stand for the machine's.
  package var users: String
  /// Devices that the job may use, beside those that every program has.
  package var devices: [String]
  package var limits: ControlGroup.Limits
  /// Bytes of any one file.
  package var fileBytes: Int

  /// Where programs are looked up.
  package static let path = "/usr/local/bin:/usr/bin:/bin"

  /// Descriptors of one process.
  package static let descriptors = 4096

  /// The user and the group inside, `nobody`.
  package static let user = 65534

  package init(
    command: [String],
    environment: [(name: String, value: String)] = [],
    work: String,
    temporary: String,
    users: String,
    devices: [String] = [],
    limits: ControlGroup.Limits,
    fileBytes: Int
  ) {
    self.command = command
    self.environment = environment
    self.work = work
    self.temporary = temporary
    self.users = users
    self.devices = devices
    self.limits = limits
    self.fileBytes = fileBytes
  }

  /// The same with its folders where the superuser's child finds them (`sandbox_become`), in the order of `folders`.
  var atPlaces: SandboxOrder {
    var order = self
    order.work = "/tmp/0"
    order.temporary = "/tmp/1"
    order.users = "/tmp/2"
    return order
  }

  /// Folders of the machine that become part of the sandbox.
  var folders: [String] { [work, temporary, users] }

  /// Options of bubblewrap (bwrap(1)), in the order in which it mounts; `command` follows them.
  ///
  /// Nothing of the machine is there that is not named here. The root is a file system in memory that is made read-only
  /// at the end, as are the devices; `/work` and `/tmp` are the only places to write that stay, `/dev/shm` counts as memory
  /// of the job.
  ///
  /// - Parameters:
  ///   - view: What of the machine is seen.
  ///   - filter: Descriptor of the seccomp filter.
  ///   - status: Descriptor to which bubblewrap writes the command's end.
  /// - Returns: The options, without the program's name and the command.
  package func options(_ view: SandboxView, filter: CInt, status: CInt) -> [String] {
    var words = [
      "--unshare-user", "--unshare-ipc", "--unshare-pid", "--unshare-net", "--unshare-uts",
      "--unshare-cgroup-try", "--uid", "\(Self.user)", "--gid", "\(Self.user)", "--hostname",
      "sandbox", "--new-session", "--die-with-parent", "--cap-drop", "ALL", "--seccomp",
      "\(filter)",
      "--json-status-fd", "\(status)",
    ]
    for (name, root) in view.roots {
      switch root {
      case .folder: words += ["--ro-bind", "/\(name)", "/\(name)"]
      case .link(let target): words += ["--symlink", target, "/\(name)"]
      }
    }
    words += ["--dir", "/etc"]
    for name in view.etc { words += ["--ro-bind", "/etc/\(name)", "/etc/\(name)"] }
    for name in ["passwd", "group"] { words += ["--ro-bind", "\(users)/\(name)", "/etc/\(name)"] }
    words += ["--proc", "/proc"]
    // Whoever is the superuser outside may write settings there, whatever they are inside.
    for name in view.settings { words += ["--ro-bind", "/proc/\(name)", "/proc/\(name)"] }
    words += ["--dev", "/dev"]
    for device in devices { words += ["--dev-bind", device, device] }
    words += [
      "--tmpfs", "/dev/shm", "--remount-ro", "/dev", "--bind", temporary, "/tmp", "--bind", work,
      "/work", "--chdir", "/work", "--remount-ro", "/",
      // bubblewrap hands on what it was given itself; the job's own names stand after that.
      "--unsetenv", "LD_LIBRARY_PATH", "--setenv", "PATH", Self.path, "--setenv", "HOME", "/work",
      "--setenv", "TMPDIR", "/tmp", "--setenv", "LC_ALL", "C.UTF-8",
    ]
    for (name, value) in environment { words += ["--setenv", name, value] }
    return words
  }
}
