import CLinux
import Glibc
import Wire

/// The replacement of the serving process, and of the supervisor's own program, by what stands at its path now.
extension Supervisor {
  /// An upgrade under way.
  struct Upgrade {
    /// When the new process must serve, on the monotonic clock; `nil` while there is none.
    var deadline: Int64?
    /// Who waits for the outcome.
    var client: CInt?
    var began: Int64 = 0
  }

  /// Starts a process of the program at the path that this one was started by.
  func beginUpgrade(for client: CInt?) {
    let refusal: String? =
      if listeners.isEmpty {
        "the gateway is being stopped"
      } else if next != nil {
        "an upgrade is under way already"
      } else if current?.isServing != true {
        "the gateway is starting; try again when it serves"
      } else { nil }
    if let refusal {
      log.write(.warning, "no upgrade", [("reason", refusal)])
      if let client { UpgradeSocket.answer(client, ["error": .string(refusal)]) }
      return
    }
    let now = MonotonicClock.now
    upgrade = Upgrade(
      deadline: now + settings.limits.upgradeTime.nanoseconds,
      client: client,
      began: now
    )
    do throws(SystemError) {
      next = try launch(path, takesOver: true)
      log.write(.info, "upgrading", [("path", path), ("pid", "\(next?.number ?? 0)")])
    } catch {
      failUpgrade("\(path) cannot be started: \(error)")
    }
  }

  /// Gives the new process up when its time is over.
  func checkUpgrade() {
    guard let deadline = upgrade.deadline, deadline <= MonotonicClock.now else { return }
    let limit = SettingsValue.secondsText(settings.limits.upgradeTime)
    giveUpNext()
    failUpgrade(
      "the new process has not served within \(limit) s (LIMIT_UPGRADE_SECONDS); its log lines say how far it came"
    )
  }

  /// Ends a process that has not taken over: it has no requests yet, and may hang.
  func giveUpNext() {
    guard let process = next else { return }
    kill(process.number, SIGKILL)
    retiring.append(process)
    next = nil
  }

  /// Says why the old process serves on.
  func failUpgrade(_ reason: String) {
    guard upgrade.deadline != nil else { return }
    log.write(.error, "the upgrade has failed; the old process serves on", [("reason", reason)])
    if let client = upgrade.client { UpgradeSocket.answer(client, ["error": .string(reason)]) }
    upgrade = Upgrade()
  }

  /// The new process serves: the old one drains, and this program makes way for the new one.
  func finishUpgrade() {
    guard let process = next else { return }
    let lost = process.failedPlugins.filter { current?.failedPlugins.contains($0) == false }
    if !lost.isEmpty {
      next = nil
      retire(process)
      let files = lost.joined(separator: ", ")
      return failUpgrade(
        "the new process could not load \(files), which the old one runs; see the log"
      )
    }
    let milliseconds = (MonotonicClock.now - upgrade.began) / 1_000_000
    if let old = current { retire(old) }
    current = process
    next = nil
    isServingAgain()
    log.write(
      .info,
      "upgraded",
      [("pid", "\(process.number)"), ("milliseconds", "\(milliseconds)")]
    )
    if let client = upgrade.client {
      let answer: JSON = [
        "outcome": "done", "pid": .integer(Int64(process.number)),
        "milliseconds": .integer(milliseconds),
      ]
      UpgradeSocket.answer(client, answer)
    }
    upgrade = Upgrade()
    successor = process.number
  }

  /// Has a process end that another has replaced.
  private func retire(_ process: ServingProcess) {
    var process = process
    ServingMessage.retire.send(on: process.channel)
    process.end(by: MonotonicClock.now + patience(Drain.retirement))
    retiring.append(process)
  }

  /// Puts the program at `path` in this one's place, if its process serves: the process, its number and all it holds
  /// stay.
  ///
  /// Call it where no child's end is known that is not dealt with: what is forgotten here, nobody hears of.
  func makeWay() {
    guard let successor else { return }
    self.successor = nil
    guard let current, current.number == successor else { return }
    guard current.stateVersion == SupervisorState.version else {
      return log.write(
        .warning,
        "the supervisor goes on with its old program, and starts that one after a crash: the new one reads another "
          + "record; to change it, stop the gateway and start it",
        [("path", path)]
      )
    }
    let state = SupervisorState(
      listeners: listeners,
      socket: socket.descriptor,
      current: current,
      retiring: retiring,
      leftOut: leftOut,
      since: since,
      counts: counts
    )
    var variables = environment
    variables[SupervisorState.variable] = state.text
    let kept = listeners + [socket.descriptor] + Self.descriptors(current, retiring)
    let arguments = CStrings([path, "serve"])
    let list = CStrings(variables.map { "\($0.key)=\($0.value)" })
    let code = unsafe linux_become(path, arguments.pointer, list.pointer, kept, CInt(kept.count))
    log.write(
      .error,
      "the supervisor goes on with its old program",
      [("path", path), ("error", "\(SystemError(call: "execve", code: -code))")]
    )
  }

  static func descriptors(_ current: ServingProcess?, _ retiring: [ServingProcess]) -> [CInt] {
    (current?.descriptors ?? []) + retiring.flatMap(\.descriptors)
  }

  /// Why a process that was to take over does not.
  static func reason(_ process: ServingProcess, _ end: CInt) -> String {
    if let failure = process.failure { return "the new process cannot start: \(failure)" }
    return "the new process ended before it served (\(ChildProcess.endWords(end)))"
  }

  /// The path this program was started by, absolute and with its links, which may lead elsewhere by then.
  static func programPath() -> String {
    let written = unsafe linux_program_path().map { unsafe String(cString: $0) } ?? ""
    if written.hasPrefix("/proc/") || written.isEmpty {
      return Directory.absolute("/proc/self/exe") ?? written
    }
    if written.hasPrefix("/") { return written }
    return "\(Directory.absolute(".") ?? ".")/\(written)"
  }

  static func directory(of path: String) -> String {
    let resolved = Directory.absolute(path) ?? path
    guard let slash = resolved.lastIndex(of: "/") else { return "." }
    return String(resolved[..<slash])
  }
}
