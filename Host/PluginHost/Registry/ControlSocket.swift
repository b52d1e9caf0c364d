import CLinux
import Glibc
package import Wire

/// The local socket over which the command line asks a running gateway.
///
/// One request and one answer a connection, each a line of JSON. Only processes of the same user, and of root, are
/// heard.
package final class ControlSocket: Sendable {
  package enum Failure: Error, Equatable {
    case inUse(path: String)
    case notRunning(path: String)
    case system(SystemError)
    case badAnswer
  }

  /// Bytes of one request.
  package static let maxRequestBytes = 64 * 1024
  /// Bytes of one answer.
  package static let maxAnswerBytes = 16 * 1024 * 1024
  /// Milliseconds that one side waits for the other.
  private static let patience: CInt = 5_000
  /// The same, for the answer to a change of the plugins: a probe, a create and a drain may each take their time.
  package static let changePatience: CInt = 300_000
  /// Connections answered at once; further ones wait.
  private static let maxConnections = 8

  package let path: String
  private let listener: Descriptor
  private let inode: ino_t?
  private let thread: Monitor<HostThread?>

  /// Listens at `control.sock` in `directory`.
  ///
  /// - Parameters:
  ///   - directory: Exists, with mode 0700.
  ///   - takesOver: Takes the place of another process's socket at once, as a host that is upgraded does.
  ///   - answer: Answers one request; called on a thread of the connection's own, so it may take its time.
  /// - Throws: `Failure`: another gateway has the socket, or the machine refused.
  package init(
    directory: String,
    takesOver: Bool = false,
    answer: @escaping @Sendable (JSON) -> JSON
  ) throws(Failure) {
    path = Self.path(in: directory)
    if !takesOver { try Self.refuseRival(at: path) }
    // Renamed into its place: a path that another process leaves is never without a listener.
    let staged = "\(directory)/.c\(getpid())"
    _ = unsafe unlink(staged)
    let raw = unsafe linux_unix_socket(staged, 8)
    guard raw >= 0 else { throw .system(SystemError(call: "bind", code: -raw)) }
    listener = Descriptor(adopting: raw)
    guard unsafe rename(staged, path) == 0 else {
      throw .system(SystemError(call: "rename", code: errno))
    }
    inode = Self.inode(of: path)
    do {
      thread = Monitor(try HostThread(name: "control") { Self.serve(raw, answer) })
    } catch {
      throw .system(error)
    }
  }

  /// A file that nobody listens at was left by a process that was killed; one whose supervisor was killed may take a
  /// moment to follow it.
  private static func refuseRival(at path: String) throws(Failure) {
    let deadline = MonotonicClock.now + 500_000_000
    repeat {
      let probe = unsafe linux_unix_socket(path, 0)
      guard probe >= 0 else { return }
      _ = Descriptor(adopting: probe)
      let pause = MonotonicClock.now + 10_000_000
      let _: Bool? = Monitor(()).wait(until: pause) { _ in nil }
    } while MonotonicClock.now < deadline
    throw .inUse(path: path)
  }

  private static func inode(of path: String) -> ino_t? {
    var status = stat()
    return unsafe stat(path, &status) == 0 ? status.st_ino : nil
  }

  /// Stops listening and removes the socket, unless another process has taken its place.
  package func close() {
    shutdown(listener.raw, CInt(SHUT_RDWR))
    thread.withLock { $0.take() }?.join()
    if Self.inode(of: path) == inode { _ = unsafe unlink(path) }
  }

  package static func path(in directory: String) -> String { "\(directory)/control.sock" }

  /// Asks the gateway whose data directory is `directory`.
  ///
  /// - Parameters:
  ///   - directory: As the gateway was given it.
  ///   - request: One JSON value.
  ///   - patience: Milliseconds to wait for the answer.
  /// - Returns: Its answer.
  /// - Throws: `Failure`.
  package static func ask(
    _ directory: String,
    _ request: JSON,
    patience: CInt = patience
  ) throws(Failure) -> JSON {
    let path = path(in: directory)
    let raw = unsafe linux_unix_socket(path, 0)
    guard raw >= 0 else {
      if raw == -ENOENT || raw == -ECONNREFUSED || raw == -ENOTDIR { throw .notRunning(path: path) }
      throw .system(SystemError(call: "connect", code: -raw))
    }
    let socket = Descriptor(adopting: raw)
    _ = linux_socket_timeout(socket.raw, patience)
    var line = request.bytes
    line.append(0x0A)
    guard send(line, to: socket.raw), let answer = readLine(socket.raw, limit: maxAnswerBytes),
      let json = try? JSON.parse(answer)
    else { throw .badAnswer }
    return json
  }

  private static func serve(_ listener: CInt, _ answer: @escaping @Sendable (JSON) -> JSON) {
    let connections = Monitor(0)
    while true {
      let _: Bool? = connections.wait { $0 < maxConnections ? true : nil }
      let raw = accept(listener, nil, nil)
      guard raw >= 0 else {
        if errno == EINTR || errno == ECONNABORTED { continue }
        if errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS {
          let _: Bool? = Monitor(()).wait(until: MonotonicClock.now + 100_000_000) { _ in nil }
          continue
        }
        return  // EINVAL: `close` has shut the listener down
      }
      connections.withLock { $0 += 1 }
      let left: @Sendable () -> Void = {
        connections.withLock { $0 -= 1 }
        connections.wakeOne()
      }
      do throws(SystemError) {
        try HostThread(name: "control client") {
          serveOne(Descriptor(adopting: raw), answer)
          left()
        }.detach()
      } catch {
        _ = Descriptor(adopting: raw)
        left()
      }
    }
  }

  private static func serveOne(_ socket: consuming Descriptor, _ answer: (JSON) -> JSON) {
    _ = fcntl(socket.raw, F_SETFD, FD_CLOEXEC)
    let user = linux_peer_user(socket.raw)
    guard user == 0 || user == Int64(geteuid()) else { return }
    _ = linux_socket_timeout(socket.raw, patience)
    guard let line = readLine(socket.raw, limit: maxRequestBytes) else { return }
    var reply: [UInt8]
    do {
      reply = answer(try JSON.parse(line)).bytes
    } catch {
      reply = JSON.object([.init(name: "error", value: .string("\(error)"))]).bytes
    }
    reply.append(0x0A)
    _ = send(reply, to: socket.raw)
  }

  static func readLine(_ socket: CInt, limit: Int) -> [UInt8]? {
    var line: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 16 * 1024)
    while line.count <= limit {
      let count = unsafe linux_read(socket, &chunk, chunk.count)
      if count == -Int(EINTR) { continue }
      guard count > 0 else { return nil }
      if let end = chunk[..<count].firstIndex(of: 0x0A) { return line + chunk[..<end] }
      line += chunk[..<count]
    }
    return nil
  }

  static func send(_ bytes: [UInt8], to socket: CInt) -> Bool {
    var rest = bytes[...]
    while !rest.isEmpty {
      let count = unsafe rest.withUnsafeBytes { buffer in
        guard let start = buffer.baseAddress else { return 0 }
        return unsafe linux_send(socket, start, buffer.count)
      }
      if count == -Int(EINTR) { continue }
      guard count > 0 else { return false }
      rest = rest.dropFirst(count)
    }
    return true
  }
}

extension ControlSocket.Failure: CustomStringConvertible {
  package var description: String {
    switch self {
    case .inUse(let path): "another gateway uses \(path); give this one a DATA_DIR of its own"
    case .notRunning(let path):
      "no gateway is running here (nobody listens at \(path)); start it, or set DATA_DIR to its data directory"
    case .system(let error): "the control socket failed: \(error)"
    case .badAnswer:
      "the gateway gave no answer that this command understands; are both of one version?"
    }
  }
}
