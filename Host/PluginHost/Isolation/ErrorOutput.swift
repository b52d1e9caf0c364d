import CLinux
import Glibc

/// The standard error of a plugin's process, which is not the gateway's own: through that it could write lines into the
/// log that are nobody's, cut the file that the log goes to, or have writes to it fail.
enum ErrorOutput {
  /// Bytes of one line; what is behind them is the next.
  private static let lineBytes = 2048

  /// Begins to read lines, until every process that may write has ended.
  ///
  /// - Parameter hear: Takes each line, on a thread of its own.
  /// - Returns: What the process is to have as its standard error.
  /// - Throws: `SystemError` when there is no descriptor or thread left.
  static func begin(
    _ hear: @escaping IsolatedProcess.Complaints
  ) throws(SystemError) -> Descriptor {
    var ends: [CInt] = [0, 0]
    let piped = unsafe linux_pipe(&ends)
    guard piped == 0 else { throw SystemError(call: "pipe", code: -piped) }
    let output = Descriptor(adopting: ends[1])
    let input = ends[0]
    do throws(SystemError) {
      try HostThread(name: "stderr") {
        read(input, hear)
        _ = close(input)
      }.detach()
    } catch {
      _ = close(input)
      throw error
    }
    return output
  }

  private static func read(_ input: CInt, _ hear: IsolatedProcess.Complaints) {
    var line: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: lineBytes)
    func flush() {
      if !line.isEmpty { hear(String(decoding: line, as: UTF8.self)) }
      line.removeAll(keepingCapacity: true)
    }
    while true {
      let count = unsafe linux_read(input, &chunk, chunk.count)
      if count == -Int(EINTR) { continue }
      guard count > 0 else { break }
      for byte in chunk[..<count] {
        if byte == UInt8(ascii: "\n") { flush() } else { line.append(byte) }
        if line.count == lineBytes { flush() }
      }
    }
    flush()
  }
}
