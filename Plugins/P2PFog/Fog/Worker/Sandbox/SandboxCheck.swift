import Glibc
import PluginStorage
import Synchronization

/// Tries a machine's sandbox before jobs of strangers are taken.
package enum SandboxCheck {
  /// What the command in the sandbox tries; each line that succeeds where it must not names itself.
  ///
  /// A shell alone, so that nothing is missing: the root and the system must not be writable, the data directory must not be
  /// there, no network but an empty one, no capabilities, no new namespaces, while the work folder takes a file.
  private static func script(_ hidden: String) -> String {
    """
    say() { echo "$1"; exit 9; }
    touch /work/probe || say 'the work folder cannot be written'
    (: > /probe) 2>/dev/null && say 'the root can be written'
    (: > /usr/probe) 2>/dev/null && say 'the system can be written'
    (: > /etc/probe) 2>/dev/null && say 'its settings can be written'
    [ -w /proc/sys/kernel/core_pattern ] && say 'settings of the kernel can be written'
    [ -e "$HIDDEN" ] && say 'the data directory can be seen'
    [ -e /sys ] && say 'the devices of the machine can be seen'
    [ "$(id -u)" = \(SandboxOrder.user) ] || say 'the user is another than nobody'
    while read -r name value; do
      case $name in
      CapEff:|CapPrm:|CapBnd:) [ "$value" = 0000000000000000 ] || say 'there are capabilities' ;;
      NoNewPrivs:) [ "$value" = 1 ] || say 'there may be new privileges' ;;
      Seccomp:) [ "$value" = 2 ] || say 'system calls are not filtered' ;;
      esac
    done </proc/self/status
    while IFS=: read -r name rest; do
      case $name in *Inter-*|*face*|*lo) ;; *) say 'there is a network' ;; esac
    done </proc/self/net/dev
    unshare -U true 2>/dev/null && say 'new namespaces can be made'
    echo held
    """
  }

  // What has passed, by the two folders.
  private static let passed = Mutex<[[String]: Sandbox]>([:])

  /// A sandbox in which the check has passed, now or earlier in this library's life.
  ///
  /// Kernel and control groups stay as they are while the process runs, so that a plugin which is stopped and started again
  /// need not start programs for it. A refusal is looked into anew: its cause may be gone.
  ///
  /// - Parameters:
  ///   - hidden: As for `sandbox`.
  ///   - parent: As for `sandbox`.
  /// - Returns: As `sandbox`.
  package static func passedSandbox(
    hiding hidden: String,
    trying parent: String
  ) -> Result<Sandbox, IsolationRefusal> {
    if let sandbox = passed.withLock({ $0[[hidden, parent]] }) { return .success(sandbox) }
    let result = sandbox(hiding: hidden, trying: parent)
    if case .success(let sandbox) = result { passed.withLock { $0[[hidden, parent]] = sandbox } }
    return result
  }

  /// A sandbox in which the check has passed.
  ///
  /// - Parameters:
  ///   - hidden: Absolute path of the data that no job may see.
  ///   - parent: Folder of all leases, where the check gets one.
  /// - Returns: The sandbox, or why programs of strangers cannot be run here.
  package static func sandbox(
    hiding hidden: String,
    trying parent: String
  ) -> Result<Sandbox, IsolationRefusal> {
    do {
      let sandbox = try Sandbox(hiding: hidden)
      let folder = try LeaseFolder(in: parent)
      defer { try? folder.remove() }
      try folder.giveToJob()
      let answer = try run(sandbox, folder, hidden)
      guard answer == "held\n" else {
        let said = answer.split(separator: "\n").first.map { String($0.prefix(200)) }
        throw IsolationRefusal("the sandbox does not hold: \(said ?? "it said nothing")")
      }
      return .success(sandbox)
    } catch let refusal as IsolationRefusal {
      return .failure(refusal)
    } catch {
      return .failure(IsolationRefusal("the sandbox cannot be tried: \(error)"))
    }
  }

  private static func run(
    _ sandbox: Sandbox,
    _ folder: LeaseFolder,
    _ hidden: String
  ) throws(IsolationRefusal) -> String {
    let limits = ControlGroup.Limits(memoryBytes: 64 << 20, millicores: 1000, processes: 16)
    let group = try ControlGroup(making: folder.name, in: sandbox.place, limits)
    defer { group.remove() }
    let order = SandboxOrder(
      command: ["/bin/sh", "-c", script(hidden)],
      environment: [("HIDDEN", hidden)],
      work: folder.work,
      temporary: folder.temporary,
      users: folder.users,
      limits: limits,
      fileBytes: 1 << 20
    )
    let process = try SandboxProcess(order, sandbox, in: group)
    var said: [UInt8] = []
    let deadline = Clock.monotonic() + 10_000_000_000
    var end: SandboxProcess.End?
    while end == nil || !process.isSilent {
      process.read(within: 20) { _, bytes in
        if said.count < 4096 { said += bytes }
      }
      if end == nil { end = process.end() }
      if Clock.monotonic() > deadline {
        process.kill()
        if end != nil { break }
      }
    }
    return String(decoding: said, as: UTF8.self)
  }
}
