import Glibc
import PluginStorage

extension ControlGroupPlace {
  /// Controllers that a job's group needs.
  static let controllers = ["cpu", "memory", "pids"]

  /// The place of this process, ready for groups with limits.
  ///
  /// With version 2 a group whose children have limits must have no processes of its own (cgroups(7), "no internal
  /// processes"), so the gateway moves itself into a leaf. It does that only where the group is its own: other programs
  /// are not moved.
  ///
  /// - Returns: The place.
  /// - Throws: `IsolationRefusal`.
  package static func prepared() throws(IsolationRefusal) -> ControlGroupPlace {
    let place = try ControlGroupPlace(
      groups: SystemFile.text("/proc/self/cgroup") ?? "",
      mounts: SystemFile.text("/proc/self/mountinfo") ?? ""
    )
    if case .unified(let path) = place.trees { try Self.delegate(path) }
    return place
  }

  /// Gives the children of a group of version 2 their controllers.
  static func delegate(_ group: String) throws(IsolationRefusal) {
    let offered = words("\(group)/cgroup.controllers")
    if let missing = controllers.first(where: { !offered.contains($0) }) {
      throw IsolationRefusal(
        "the control group \(group) has no controller \(missing); start the gateway as a service with Delegate=yes"
      )
    }
    let passed = words("\(group)/cgroup.subtree_control")
    guard !controllers.allSatisfy(passed.contains) else { return }
    do throws(StorageError) { try pass(group) } catch {
      guard case .system(_, EBUSY) = error else { throw refusal(group, error) }
      try moveOut(group)
      do throws(StorageError) { try pass(group) } catch { throw refusal(group, error) }
    }
  }

  private static func pass(_ group: String) throws(StorageError) {
    let text = controllers.map { "+\($0)" }.joined(separator: " ")
    try SystemFile.write(text, to: "\(group)/cgroup.subtree_control")
  }

  private static func words(_ path: String) -> [String] {
    (SystemFile.text(path) ?? "").split { $0 == " " || $0 == "\n" }.map { String($0) }
  }

  private static func refusal(_ group: String, _ error: StorageError) -> IsolationRefusal {
    IsolationRefusal(
      "the control group \(group) cannot be divided (\(error)); start the gateway as a service with Delegate=yes"
    )
  }

  /// Moves the gateway's processes from a group into a leaf of it.
  private static func moveOut(_ group: String) throws(IsolationRefusal) {
    let members = words("\(group)/cgroup.procs").compactMap { pid_t($0) }
    let family = [getpid(), getppid()]
    if let stranger = members.first(where: { !family.contains($0) && !family.contains(parent($0)) })
    {
      throw IsolationRefusal(
        "process \(stranger) shares the gateway's control group \(group); start the gateway as a service of its own with Delegate=yes"
      )
    }
    let leaf = "\(group)/\(ownLeaf)"
    guard unsafe mkdir(leaf, 0o755) == 0 || errno == EEXIST else {
      throw refusal(group, .last("mkdir"))
    }
    for member in members {
      do throws(StorageError) {
        try SystemFile.write("\(member)", to: "\(leaf)/cgroup.procs")
      } catch {
        throw refusal(group, error)
      }
    }
  }

  /// The parent of a process: the second word after the name in parentheses (proc(5)); 0 when it has ended.
  private static func parent(_ process: pid_t) -> pid_t {
    guard let text = SystemFile.text("/proc/\(process)/stat"), let end = text.lastIndex(of: ")")
    else { return 0 }
    let words = text[text.index(after: end)...].split(separator: " ")
    return words.count > 1 ? pid_t(words[1]) ?? 0 : 0
  }
}
