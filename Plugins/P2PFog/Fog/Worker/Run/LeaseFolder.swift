import Glibc
package import PluginStorage

/// The folder of one lease on this node, and the lock that says a process works in it.
///
/// Its name is of this node's own making: what a coordinator calls a lease is no path.
package final class LeaseFolder: Sendable {
  /// Absolute path.
  package let path: String
  /// Name of the folder, and of the control group of what runs in it.
  package let name: String
  private let lock: OpenFile

  /// What the job sees as `/work`.
  package var work: String { path + "/work" }
  /// What the job sees as `/tmp`.
  package var temporary: String { path + "/tmp" }
  /// Files that came from the coordinator, not seen by the job.
  package var received: String { path + "/received" }
  /// `passwd` and `group` of the sandbox.
  package var users: String { path + "/users" }

  /// Makes a folder.
  ///
  /// - Parameter parent: The folder of all leases.
  /// - Throws: `StorageError`.
  package init(in parent: String) throws(StorageError) {
    name = "fog-\(UUID4.make())"
    path = "\(parent)/\(name)"
    try Folder.make(path)
    lock = try OpenFile(path: path + "/lock", flags: O_RDWR | O_CREAT | O_EXCL)
    guard lock.lockIfFree() else { throw .system(call: "flock", code: EWOULDBLOCK) }
    for folder in [work, temporary, received, users] { try Folder.make(folder) }
    let user = SandboxOrder.user
    try Self.write("nobody:x:\(user):\(user):nobody:/work:/bin/sh\n", to: users + "/passwd")
    try Self.write("nogroup:x:\(user):\n", to: users + "/group")
  }

  private static func write(_ text: String, to path: String) throws(StorageError) {
    try OpenFile(path: path, flags: O_WRONLY | O_CREAT | O_EXCL).write(Array(text.utf8).span)
  }

  /// Makes what the job sees its own, before it begins.
  ///
  /// - Throws: `StorageError`.
  package func giveToJob() throws(StorageError) {
    guard geteuid() == 0 else { return }
    for folder in [work, temporary, users] {
      try FileTree.give(folder, to: SandboxOrder.user)
    }
  }

  /// Removes the folder with all in it; what ran there must have ended.
  package func remove() throws(StorageError) { try FileTree.remove(path) }

  /// Removes what leases of a process that has ended left behind: processes, control groups, folders.
  ///
  /// - Parameters:
  ///   - parent: The folder of all leases.
  ///   - place: Where control groups are; `nil` when there can be none.
  /// - Returns: Names of what could not be removed.
  package static func removeLeftovers(
    in parent: String,
    _ place: ControlGroupPlace?
  ) -> [String] {
    SystemFile.names(in: parent).filter { name in
      guard name.hasPrefix("fog-") else { return false }
      let path = "\(parent)/\(name)"
      do {
        // Another generation of the plugin may still work there. A folder without a lock was cut off while it was made.
        if let lock = try? OpenFile(path: path + "/lock", flags: O_RDWR), !lock.lockIfFree() {
          return false
        }
        if let place {
          let group = ControlGroup(existing: name, in: place)
          guard group.kill(), group.remove() else { return true }
        }
        try FileTree.remove(path)
        return false
      } catch {
        return true
      }
    }
  }
}
