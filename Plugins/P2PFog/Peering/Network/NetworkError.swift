import Glibc

/// What the machine refused the network.
package enum NetworkError: Error, Sendable, Equatable, CustomStringConvertible {
  /// A system call failed with an error number.
  case system(call: String, code: Int32)
  /// The address is in use by another program.
  case addressInUse(Endpoint)

  /// The last failure of `call` on this thread.
  static func last(_ call: String) -> NetworkError { .system(call: call, code: errno) }

  package var description: String {
    switch self {
    case .system(let call, let code):
      "\(call) failed: \(unsafe String(cString: strerror(code)))"
    case .addressInUse(let endpoint):
      "another program listens at \(endpoint); set `listen` to a free port"
    }
  }
}
