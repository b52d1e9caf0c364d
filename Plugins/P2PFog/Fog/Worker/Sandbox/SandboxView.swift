import Glibc

/// What of this machine the programs of jobs see, all of it read-only.
package struct SandboxView: Sendable, Equatable {
  /// How one name at the root stands there.
  package enum Root: Sendable, Equatable {
    case folder
    /// A link to this place, as `/bin` is one to `usr/bin`.
    case link(String)
  }

  /// Names at the root with programs and their libraries.
  package static let roots = ["usr", "bin", "sbin", "lib", "lib32", "lib64", "libx32"]
  /// What programs need of `/etc` to find their libraries; nothing there is secret.
  ///
  /// Users and host names are not the machine's.
  package static let etc = [
    "ld.so.cache", "ld.so.conf", "ld.so.conf.d", "alternatives", "localtime",
  ]

  /// What of `/proc` sets or shows the machine rather than the job; made read-only, as Docker does.
  package static let settings = ["bus", "fs", "irq", "sys", "sysrq-trigger", "acpi", "scsi"]

  package var roots: [(name: String, root: Root)]
  package var etc: [String]
  package var settings: [String]

  package static func == (left: SandboxView, right: SandboxView) -> Bool {
    left.etc == right.etc && left.settings == right.settings
      && left.roots.elementsEqual(right.roots, by: ==)
  }

  package init(roots: [(name: String, root: Root)], etc: [String], settings: [String]) {
    self.roots = roots
    self.etc = etc
    self.settings = settings
  }

  /// What this machine has.
  package init() {
    roots = Self.roots.compactMap { name in
      if let target = Self.link("/\(name)") { return (name, .link(target)) }
      return SystemFile.exists("/\(name)") ? (name, .folder) : nil
    }
    etc = Self.etc.filter { SystemFile.exists("/etc/\($0)") }
    settings = Self.settings.filter { SystemFile.exists("/proc/\($0)") }
  }

  private static func link(_ path: String) -> String? {
    var buffer = [CChar](repeating: 0, count: 4096)
    let count = unsafe readlink(path, &buffer, buffer.count - 1)
    guard count > 0 else { return nil }
    return String(decoding: buffer[..<count].map { UInt8(bitPattern: $0) }, as: UTF8.self)
  }

  /// Whether a folder can be seen through this view.
  ///
  /// - Parameter path: Absolute, without links.
  /// - Returns: Whether it stands within one of the roots.
  package func shows(_ path: String) -> Bool {
    roots.contains { name, root in
      root == .folder && (path == "/\(name)" || path.hasPrefix("/\(name)/"))
    } || etc.contains { path.hasPrefix("/etc/\($0)/") }
  }
}
