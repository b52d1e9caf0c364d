import CLinux
import Glibc

/// The sockets that a gateway listens on, one for each loop.
package enum ListeningSockets {
  /// Connections that may wait for one loop.
  static let backlog: CInt = 4096
  /// Where a service manager's sockets begin (sd_listen_fds(3)).
  private static let firstPassed: CInt = 3
  /// The variable that says how many there are.
  static let variable = "LISTEN_FDS"

  /// The sentence for an address that is taken, not ours, or not allowed.
  package static func refusal(_ host: String, _ port: UInt16, _ error: SystemError) -> String {
    if error.call == variable {
      return "LISTEN_FDS is no number from 1 to 1024; let the service manager set it, or unset it"
    }
    if error.call.hasPrefix(variable) {
      return
        "\(error.call) is no TCP socket that listens; the service manager must pass such sockets alone"
    }
    return "cannot listen on \(host):\(port) (HOST, PORT): \(error)"
  }

  /// Binds and listens.
  ///
  /// - Parameters:
  ///   - host: An address, or a name that resolves to one.
  ///   - port: 0 lets the kernel choose.
  ///   - isShared: Whether other sockets of this user may have the port too.
  /// - Returns: A socket that never waits.
  /// - Throws: `SystemError` when the address is in use, not ours, or not allowed.
  static func open(
    host: String,
    port: UInt16,
    isShared: Bool
  ) throws(SystemError) -> Descriptor {
    let socket = unsafe linux_listen(host, "\(port)", backlog, isShared ? 1 : 0)
    guard socket >= 0 else {
      guard socket <= -1000 else { throw SystemError(call: "listen", code: -socket) }
      throw SystemError(call: "getaddrinfo", code: EADDRNOTAVAIL)
    }
    return Descriptor(adopting: socket)
  }

  /// Opens one socket for each loop, all on one port.
  ///
  /// - Parameters:
  ///   - host: An address, or a name that resolves to one.
  ///   - port: 0 lets the kernel choose.
  ///   - count: At least 1.
  /// - Returns: The sockets, which the caller closes.
  /// - Throws: `SystemError`; nothing stays open.
  package static func open(
    host: String,
    port: UInt16,
    count: Int
  ) throws(SystemError) -> [CInt] {
    if count > 1, port != 0 {
      // Sockets that share their port would share it with another process too, which then gets a part of the
      // connections: a port that somebody has is refused.
      _ = try open(host: host, port: port, isShared: false)
    }
    var sockets: [CInt] = []
    var port = port
    do throws(SystemError) {
      for _ in 0..<count {
        let socket = try release(open(host: host, port: port, isShared: count > 1))
        sockets.append(socket)
        if port == 0 { port = Self.port(of: socket) }
      }
    } catch {
      for socket in sockets { close(socket) }
      throw error
    }
    return sockets
  }

  /// The port a socket is bound to.
  package static func port(of socket: CInt) -> UInt16 { UInt16(clamping: linux_bound_port(socket)) }

  /// The sockets that a service manager has opened for this process.
  ///
  /// - Parameter environment: `LISTEN_PID` and `LISTEN_FDS` tell of them.
  /// - Returns: `nil` when there are none.
  /// - Throws: `SystemError` with `ENOTSOCK` when one is no TCP socket that listens, with `EINVAL` when their number is
  ///   none; `refusal` has the sentence.
  package static func passed(
    _ environment: [String: String]
  ) throws(SystemError) -> [CInt]? {
    guard let owner = environment["LISTEN_PID"].flatMap({ CInt($0) }), owner == getpid(),
      let number = environment[variable], number != "0"
    else { return nil }
    guard let count = CInt(number), (1...1024).contains(count) else {
      throw SystemError(call: variable, code: EINVAL)
    }
    let sockets = Array(firstPassed..<firstPassed + count)
    for socket in sockets {
      guard linux_is_listener(socket) != 0 else {
        throw SystemError(call: "\(variable) (descriptor \(socket))", code: ENOTSOCK)
      }
      linux_adopt(socket)
    }
    return sockets
  }

  /// Divides sockets over loops.
  ///
  /// - Parameters:
  ///   - sockets: More or fewer than loops.
  ///   - loops: At least 1.
  /// - Returns: The sockets of each loop; one that several loops have is a copy for each.
  /// - Throws: `SystemError`.
  static func divide(_ sockets: [CInt], over loops: Int) throws(SystemError) -> [[CInt]] {
    var shares = [[CInt]](repeating: [], count: loops)
    for (index, socket) in sockets.enumerated() { shares[index % loops].append(socket) }
    for index in shares.indices where shares[index].isEmpty {
      let copy = fcntl(sockets[index % sockets.count], F_DUPFD_CLOEXEC, 0)
      guard copy >= 0 else { throw SystemError(call: "fcntl", code: errno) }
      shares[index].append(copy)
    }
    return shares
  }

  private static func release(_ socket: consuming Descriptor) throws(SystemError) -> CInt {
    let copy = fcntl(socket.raw, F_DUPFD_CLOEXEC, 0)
    guard copy >= 0 else { throw SystemError(call: "fcntl", code: errno) }
    return copy
  }
}
