import CLinux
import Glibc
package import Wire

/// The socket `upgrade.sock` in the data directory, over which a supervisor is asked for an upgrade.
///
/// It belongs to the supervisor, so that it answers across all serving processes. One request and one answer a
/// connection, each a line of JSON; only processes of the same user, and of root, are heard.
package struct UpgradeSocket {
  /// Bytes of one answer.
  private static let maxBytes = 4096
  /// How long a client may take to say what it wants, in milliseconds: the supervisor has one thread.
  private static let patience: CInt = 1_000

  let path: String
  /// Listens.
  let descriptor: CInt

  /// Listens.
  ///
  /// - Parameter directory: The data directory.
  /// - Throws: `ControlSocket.Failure`: another supervisor has it, or the machine refused.
  init(directory: String) throws(ControlSocket.Failure) {
    let path = Self.path(in: directory)
    self.path = path
    let probe = unsafe linux_unix_socket(path, 0)
    guard probe < 0 else {
      close(probe)
      throw .inUse(path: path)
    }
    _ = unsafe unlink(path)
    descriptor = unsafe linux_unix_socket(path, 8)
    guard descriptor >= 0 else {
      throw .system(SystemError(call: "bind \(path)", code: -descriptor))
    }
  }

  /// Goes on with what the program before has opened.
  init(directory: String, adopting descriptor: CInt) {
    path = Self.path(in: directory)
    self.descriptor = descriptor
    _ = fcntl(descriptor, F_SETFD, FD_CLOEXEC)
  }

  /// Takes one client that waits.
  ///
  /// - Returns: The client, and what it wants; `nil` when it is gone or not to be heard.
  func accept() -> (client: CInt, request: JSON)? {
    let client = Glibc.accept(descriptor, nil, nil)
    guard client >= 0 else { return nil }
    _ = fcntl(client, F_SETFD, FD_CLOEXEC)
    _ = linux_socket_timeout(client, Self.patience)
    let user = linux_peer_user(client)
    guard user == 0 || user == Int64(geteuid()),
      // In one piece, as a line that short comes: one that dripped would keep the supervisor from its work.
      let line = ControlSocket.readLine(client, limit: 0),
      let request = try? JSON.parse(line)
    else {
      close(client)
      return nil
    }
    return (client, request)
  }

  /// Answers a client and lets it go.
  static func answer(_ client: CInt, _ answer: JSON) {
    _ = ControlSocket.send(answer.bytes + [0x0A], to: client)
    close(client)
  }

  /// Removes the socket.
  func remove() {
    close(descriptor)
    _ = unsafe unlink(path)
  }

  /// Asks the supervisor whose data directory is `directory` for an upgrade, and waits until it is done or has failed.
  ///
  /// - Parameters:
  ///   - directory: As the gateway was given it.
  ///   - limit: How long the supervisor may take.
  /// - Returns: Its answer: `outcome` `done`, or `error`.
  /// - Throws: `ControlSocket.Failure`.
  package static func ask(
    _ directory: String,
    limit: Duration
  ) throws(ControlSocket.Failure) -> JSON {
    let path = path(in: directory)
    let raw = unsafe linux_unix_socket(path, 0)
    guard raw >= 0 else {
      if raw == -ENOENT || raw == -ECONNREFUSED || raw == -ENOTDIR { throw .notRunning(path: path) }
      throw .system(SystemError(call: "connect", code: -raw))
    }
    let socket = Descriptor(adopting: raw)
    let request: JSON = ["verb": "upgrade"]
    _ = linux_socket_timeout(socket.raw, CInt(clamping: limit.nanoseconds / 1_000_000))
    guard ControlSocket.send(request.bytes + [0x0A], to: socket.raw),
      let answer = ControlSocket.readLine(socket.raw, limit: Self.maxBytes),
      let json = try? JSON.parse(answer)
    else { throw .badAnswer }
    return json
  }

  private static func path(in directory: String) -> String { "\(directory)/upgrade.sock" }
}
