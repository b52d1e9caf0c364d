import CLinux
import Glibc

/// Bytes that wait for one client.
package struct OutputQueue {
  private var bytes: [UInt8] = []
  private var start = 0

  package init() {}

  package var count: Int { bytes.count - start }
  package var isEmpty: Bool { start == bytes.count }

  package mutating func append(_ more: some Collection<UInt8>) { bytes.append(contentsOf: more) }

  /// Sends as much as the socket takes now.
  ///
  /// - Parameter socket: Non-blocking.
  /// - Returns: How many bytes it took.
  /// - Throws: `SystemError` when the connection is broken.
  package mutating func send(to socket: CInt) throws(SystemError) -> Int {
    var total = 0
    while !isEmpty {
      let sent = unsafe bytes.withUnsafeBytes { all in
        unsafe Self.send(UnsafeRawBufferPointer(rebasing: all[start...]), to: socket)
      }
      if sent > 0 {
        start += sent
        total += sent
      } else if sent == -Int(EAGAIN) {
        break
      } else if sent != -Int(EINTR) {
        throw SystemError(call: "send", code: CInt(-sent))
      }
    }
    compact()
    return total
  }

  /// One attempt to send `bytes`: how many were taken, or a negative error number.
  package static func send(_ bytes: UnsafeRawBufferPointer, to socket: CInt) -> Int {
    guard let start = bytes.baseAddress else { return 0 }
    return unsafe linux_send(socket, start, bytes.count)
  }

  private mutating func compact() {
    if isEmpty {
      bytes = []  // an idle connection holds no buffer
      start = 0
    } else if start > 64 * 1024, start > bytes.count / 2 {
      bytes.removeFirst(start)
      start = 0
    }
  }
}
