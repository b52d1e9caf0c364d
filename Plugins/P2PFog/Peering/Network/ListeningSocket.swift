import Glibc

/// A TCP socket that takes links of other peers.
struct ListeningSocket: ~Copyable, Sendable {
  private static let backlog: Int32 = 64

  let socket: Socket

  /// Listens at `endpoint`.
  init(_ endpoint: Endpoint) throws(NetworkError) {
    let made = try Socket(for: endpoint, isStream: true)
    // A restarted gateway takes its port again while old connections fade.
    try made.set(SOL_SOCKET, SO_REUSEADDR, to: 1)
    try made.bind(to: endpoint)
    guard listen(made.descriptor, Self.backlog) == 0 else {
      throw errno == EADDRINUSE ? .addressInUse(endpoint) : .last("listen")
    }
    socket = made
  }

  /// What `accept` came to.
  enum Accepted: ~Copyable {
    case connection(Socket)
    /// Nobody waits.
    case none
    /// The machine has no descriptor or memory for whoever waits; asked again at once, it says the same.
    case exhausted(NetworkError)
  }

  /// Takes the next connection.
  func accept() -> Accepted {
    while true {
      let descriptor = Glibc.accept(socket.descriptor, nil, nil)
      if descriptor >= 0 {
        _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
        _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
        let made = Socket(adopting: descriptor)
        try? made.set(Int32(IPPROTO_TCP), TCP_NODELAY, to: 1)
        return .connection(made)
      }
      switch errno {
      case EINTR, ECONNABORTED: continue
      case EMFILE, ENFILE, ENOBUFS, ENOMEM: return .exhausted(.last("accept"))
      default: return .none
      }
    }
  }
}
