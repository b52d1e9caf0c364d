import CSandbox
import Glibc

/// How this machine runs the programs of strangers: bubblewrap, a filter of system calls, and control groups.
package struct Sandbox: Sendable {
  /// Places of bubblewrap; a search path could be anyone's.
  package static let programs = ["/usr/bin/bwrap", "/usr/local/bin/bwrap", "/bin/bwrap"]

  /// Path of bubblewrap.
  package let program: String
  package let view: SandboxView
  package let place: ControlGroupPlace
  /// Instructions that the kernel runs at each system call.
  package let filter: [UInt8]

  /// Finds what is needed, without trying it.
  ///
  /// - Parameter directory: Absolute path of the folder of this node's data, which no job may see.
  /// - Throws: `IsolationRefusal` that says what is missing and how to get it.
  package init(hiding directory: String) throws(IsolationRefusal) {
    guard let program = Self.programs.first(where: { unsafe access($0, X_OK) == 0 }) else {
      throw IsolationRefusal(
        "bubblewrap is not installed (none of \(Self.programs.joined(separator: ", "))); install the package bubblewrap"
      )
    }
    let view = SandboxView()
    guard let resolved = Self.resolved(directory), !view.shows(resolved) else {
      throw IsolationRefusal(
        "the data directory \(directory) lies in a folder that jobs can read; move it, as to /var/lib"
      )
    }
    guard let filter = Self.makeFilter() else {
      throw IsolationRefusal("there is no filter of system calls for this processor")
    }
    self.program = program
    self.view = view
    self.filter = filter
    place = try ControlGroupPlace.prepared()
  }

  private static func resolved(_ path: String) -> String? {
    guard let found = unsafe realpath(path, nil) else { return nil }
    defer { unsafe free(found) }
    return unsafe String(cString: found)
  }

  private static func makeFilter() -> [UInt8]? {
    var code = [sock_filter](repeating: sock_filter(), count: Int(SANDBOX_FILTER_LIMIT))
    let bytes = unsafe sandbox_filter(&code)
    guard bytes > 0 else { return nil }
    return unsafe code.withUnsafeBytes { unsafe Array($0.prefix(bytes)) }
  }
}
