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

  /// The next connection; `nil` when there is none.
  func accept() -> Socket? {
    while true {
      let descriptor = Glibc.accept(socket.descriptor, nil, nil)
      if descriptor < 0 {
        if errno == EINTR || errno == ECONNABORTED { continue }
        return nil
      }
      _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
      _ = fcntl(descriptor, F_SETFL, fcntl(descriptor, F_GETFL) | O_NONBLOCK)
      return Socket(adopting: descriptor)
    }
  }
}
