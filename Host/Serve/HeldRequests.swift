import Wire

/// Requests that wait, not begun, while their plugin is being replaced.
extension HTTPConnection {
  /// Whether the request whose head `server.head` has just read from `bytes` is for a held plugin.
  func mustWait(_ bytes: UnsafeBufferPointer<UInt8>) -> Bool {
    let path = unsafe bytes.span.extracting(server.head.pathRange)
    guard path.count > 0, server.path.split(path) else { return false }
    let method = unsafe bytes.span.extracting(server.head.methodRange)
    let match = server.currentRoutes().match(server.path, method: method)
    guard case .found(.plugin(let route, _)) = match else { return false }
    return server.holds(route.instance.id)
  }

  /// Keeps the connection as it is until its request may begin; nothing of it has been counted.
  func park() {
    phase = .held
    server.parked.insert(token)
  }

  /// Looks at the request anew.
  fileprivate func takeUp() {
    guard phase == .held else { return }
    phase = .head
    headBegan = now
    processInput()
    settle()
  }
}

extension Server {
  /// Takes up every request that waits; those whose plugin is still held wait on.
  func takeUpParked() {
    let waiting = parked
    parked = []
    for token in waiting { (loop.source(token: token) as? HTTPConnection)?.takeUp() }
  }
}
