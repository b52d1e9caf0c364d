import Glibc
import Testing

@testable import Gateway

/// A pipe that holds little, closed at the end.
// Sendable: the writing end is closed by one thread while another reads.
private final class SmallPipe: @unchecked Sendable {
  let reader: CInt
  private(set) var writer: CInt

  init(flags: CInt = 0) throws {
    var ends: [CInt] = [0, 0]
    try #require(pipe(&ends) == 0)
    (reader, writer) = (ends[0], ends[1])
    _ = fcntl(writer, setPipeSize, 4096)
    _ = fcntl(writer, F_SETFL, flags)
  }

  deinit {
    close(reader)
    closeWriter()
  }

  func closeWriter() {
    if writer >= 0 { close(writer) }
    writer = -1
  }

  /// Reads to the end of the pipe.
  func take() -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1000)
    while case let count = read(reader, &chunk, chunk.count), count > 0 { all += chunk[..<count] }
    return all
  }
}

@Suite("Lines on their way to the log")
struct LogWriterTests {
  @Test func `close writes what waits`() throws {
    let written = try WrittenLog()
    for number in 0..<1_000 { written.writer.append(Array("line \(number)\n".utf8)) }
    #expect(written.lines() == (0..<1_000).map { "line \($0)" })
  }

  @Test func `lines of eight threads stay whole`() throws {
    let written = try WrittenLog()
    let writer = written.writer
    runThreads(8) { for _ in 0..<1_000 { writer.append(Array("0123456789abcdef\n".utf8)) } }
    let lines = written.lines()
    #expect(lines.count == 8_000)
    #expect(lines.allSatisfy { $0 == "0123456789abcdef" })
  }

  @Test func `a reader that is too slow costs lines, which are counted, but never a wait`() throws {
    let pipe = try SmallPipe()
    let writer = try LogWriter(output: pipe.writer, limit: 1_000)
    let line = [UInt8](repeating: UInt8(ascii: "x"), count: 99) + Array("\n".utf8)
    // The pipe, the thread and the queue hold some sixty of them; nobody reads.
    for _ in 0..<200 { writer.append(line) }
    let closer = try HostThread(name: "closer") {
      writer.close()
      pipe.closeWriter()
    }
    let lines = String(decoding: pipe.take(), as: UTF8.self).split(separator: "\n")
    closer.join()
    let whole = lines.count {
      $0.utf8.count == 99 && $0.utf8.allSatisfy { $0 == UInt8(ascii: "x") }
    }
    let reports = lines.filter { $0.hasPrefix("log: ") }
    let dropped = reports.reduce(0) { $0 + (Int($1.split(separator: " ")[1]) ?? 0) }
    #expect(whole + reports.count == lines.count)
    #expect(whole + dropped == 200)
    #expect(dropped >= 100)
  }

  @Test func `a batch over the limit is dropped and said`() throws {
    let pipe = try SmallPipe()
    let writer = try LogWriter(output: pipe.writer, limit: 10)
    writer.append(Array("0123456789\n".utf8))
    writer.append(Array("012345678\n".utf8))
    writer.close()
    pipe.closeWriter()
    #expect(
      String(decoding: pipe.take(), as: UTF8.self)
        == "012345678\nlog: 1 batches of lines were dropped, the reader is too slow\n"
    )
  }

  @Test func `an output that does not block loses nothing`() throws {
    let pipe = try SmallPipe(flags: O_NONBLOCK)
    let writer = try LogWriter(output: pipe.writer)
    let line = Array("0123456789abcdef\n".utf8)
    for _ in 0..<4_000 { writer.append(line) }
    let closer = try HostThread(name: "closer") {
      writer.close()
      pipe.closeWriter()
    }
    let all = pipe.take()
    closer.join()
    #expect(all == Array(repeating: line, count: 4_000).flatMap { $0 })
  }

  // In a process of its own, which would die of the signal.
  @Test func `a reader that has gone ends nothing but the log`() async {
    await #expect(processExitsWith: .success) {
      var ends: [CInt] = [0, 0]
      try #require(pipe(&ends) == 0)
      close(ends[0])
      let writer = try LogWriter(output: ends[1])
      for _ in 0..<3 { writer.append(Array("nobody reads this\n".utf8)) }
      writer.close()
    }
  }
}
