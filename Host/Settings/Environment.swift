import CLinux

/// The variables this process was started with.
package enum Environment {
  /// Reads them all; call it before any thread is started, since the C library may move them.
  package static func read() -> [String: String] {
    var variables: [String: String] = [:]
    var index = 0
    while let entry = unsafe linux_environment(index) {
      index += 1
      let text = unsafe String(cString: entry)
      guard let equals = text.utf8.firstIndex(of: UInt8(ascii: "=")) else { continue }
      variables[String(text[..<equals])] = String(text[text.utf8.index(after: equals)...])
    }
    return variables
  }
}
