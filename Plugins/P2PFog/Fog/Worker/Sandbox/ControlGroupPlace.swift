/// Where this process may make control groups: beneath its own.
///
/// Version 2 has one tree for all controllers, version 1 a tree for each (cgroups(7)); a machine may mount both, and then
/// the controllers are where version 1 has them.
package struct ControlGroupPlace: Sendable, Equatable {
  /// The tree or trees.
  package enum Trees: Sendable, Equatable {
    /// Absolute path of this process's group.
    case unified(String)
    /// Absolute path of this process's group in the tree of each controller.
    case separate(memory: String, processes: String, time: String, accounting: String)
  }

  /// Name of the group into which a gateway of version 2 moves itself: a group with limited children has no processes.
  package static let ownLeaf = "gateway-host"

  package var trees: Trees

  package init(_ trees: Trees) { self.trees = trees }

  /// Finds the place.
  ///
  /// - Parameters:
  ///   - groups: Text of `/proc/self/cgroup`.
  ///   - mounts: Text of `/proc/self/mountinfo` (proc(5)).
  /// - Throws: `IsolationRefusal` that names the controller that is missing.
  package init(groups: String, mounts: String) throws(IsolationRefusal) {
    let own = Self.groups(groups)
    let trees = Self.mounts(mounts)
    func path(_ controller: String) -> String? {
      guard let group = own[controller],
        let tree = trees.first(where: { $0.controllers.contains(controller) })
      else { return nil }
      return tree.path(of: group)
    }
    if let memory = path("memory") {
      guard let processes = path("pids") else { throw Self.missing("pids") }
      guard let time = path("cpu") else { throw Self.missing("cpu") }
      guard let accounting = path("cpuacct") else { throw Self.missing("cpuacct") }
      self.trees = .separate(
        memory: memory,
        processes: processes,
        time: time,
        accounting: accounting
      )
      return
    }
    guard let group = own[""], let tree = trees.first(where: { $0.controllers.isEmpty }),
      var path = tree.path(of: group)
    else {
      throw IsolationRefusal(
        "no control groups are mounted (expected under /sys/fs/cgroup), so memory and processes of a job cannot be limited"
      )
    }
    if path.hasSuffix("/" + Self.ownLeaf) { path.removeLast(Self.ownLeaf.utf8.count + 1) }
    self.trees = .unified(path)
  }

  private static func missing(_ controller: String) -> IsolationRefusal {
    IsolationRefusal("the control group controller \(controller) is not mounted beside memory")
  }

  /// The group of this process for each controller; that of version 2 under the empty name.
  private static func groups(_ text: String) -> [String: String] {
    var found: [String: String] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: ":", maxSplits: 2, omittingEmptySubsequences: false)
      guard parts.count == 3 else { continue }
      for name in parts[1].split(separator: ",", omittingEmptySubsequences: false) {
        found[String(name)] = String(parts[2])
      }
    }
    return found
  }

  /// A mounted tree.
  private struct Tree {
    /// Controllers of a tree of version 1; none for version 2.
    var controllers: [String]
    /// The group at the mount's root.
    var root: String
    var mount: String

    /// Where a group stands; `nil` when it is outside of what is mounted.
    func path(of group: String) -> String? {
      if root == "/" { return group == "/" ? mount : mount + group }
      guard group == root || group.hasPrefix(root + "/") else { return nil }
      return mount + group.dropFirst(root.count)
    }
  }

  private static func mounts(_ text: String) -> [Tree] {
    text.split(separator: "\n").compactMap { line in
      let words = line.split(separator: " ")
      guard let dash = words.firstIndex(of: "-"), words.count >= dash + 4, dash >= 6 else {
        return nil
      }
      let type = words[dash + 1]
      guard type == "cgroup" || type == "cgroup2" else { return nil }
      let options = type == "cgroup2" ? [] : words[dash + 3].split(separator: ",")
      return Tree(
        controllers: options.map { String($0) },
        root: String(words[3]),
        mount: String(words[4])
      )
    }
  }
}
