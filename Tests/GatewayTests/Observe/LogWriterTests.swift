import Glibc
import Testing

@testable import Gateway

/// A pipe whose capacity is known, closed at the end.
private final class SmallPipe {
  let reader: CInt
  private(set) var writer: CInt
  let capacity: Int

  init(flags: CInt = 0) throws {
    var ends: [CInt] = [0, 0]
    try #require(pipe(&ends) == 0)
    (reader, writer) = (ends[0], ends[1])
    capacity = Int(fcntl(writer, setPipeSize, 4096))
    _ = fcntl(writer, F_SETFL, flags)
  }

  deinit {
    closeReader()
    closeWriter()
  }

  private var isReaderOpen = true

  func closeReader() {
    if isReaderOpen { close(reader) }
    isReaderOpen = false
  }

  func closeWriter() {
    if writer >= 0 { close(writer) }
    writer = -1
  }

  /// Whether bytes wait to be read, within ten seconds.
  func waitForBytes() -> Bool {
    var ready = pollfd(fd: reader, events: Int16(POLLIN), revents: 0)
    return poll(&ready, 1, 10_000) == 1
  }

  /// Reads `count` bytes, or all up to the end of the pipe.
  func take(_ count: Int = .max) -> [UInt8] {
    var all: [UInt8] = []
    var chunk = [UInt8](repeating: 0, count: 1000)
    while all.count < count {
      let got = read(reader, &chunk, min(chunk.count, count - all.count))
      guard got > 0 else { break }
      all += chunk[..<got]
    }
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
    // More than the pipe holds: the thread is stuck in it from here on, with nothing waiting.
    let stuck = [UInt8](repeating: UInt8(ascii: "s"), count: 999) + [UInt8(ascii: "\n")]
    var sent = 0
    while sent <= pipe.capacity {
      writer.append(stuck)
      sent += stuck.count
      let limit = sent
      #expect(eventually { pipeFill(pipe.reader) == min(limit, pipe.capacity) })
    }
    writer.append(Array("kept, to the limit".utf8) + [UInt8](repeating: UInt8(ascii: "k"), count: 981) + Array("\n".utf8))
    for _ in 0..<7 { writer.append(Array("\n".utf8)) }
    let closer = try HostThread(name: "closer") { writer.close() }
    var all: [UInt8] = []
    let end = "log: 7 batches of lines were dropped, the reader is too slow\n"
    let expected = sent + 1_000 + end.utf8.count
    all = pipe.take(expected)
    closer.join()
    let text = String(decoding: all, as: UTF8.self)
    #expect(text.hasSuffix("k\n\(end)"))
    #expect(text.split(separator: "\n").count { $0.hasPrefix("sss") } == sent / 1_000)
  }

  /// Bytes that wait in a pipe.
  private func pipeFill(_ reader: CInt) -> Int {
    var count: CInt = 0
    _ = ioctl(reader, UInt(FIONREAD), &count)
    return Int(count)
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
        == "012345678\nlog: 1 batches of lines were dropped, the reader is too slow\n")
  }

  @Test func `an output that does not block loses nothing`() throws {
    let pipe = try SmallPipe(flags: O_NONBLOCK)
    let writer = try LogWriter(output: pipe.writer)
    let line = Array("0123456789abcdef\n".utf8)
    for _ in 0..<4_000 { writer.append(line) }
    let closer = try HostThread(name: "closer") { writer.close() }
    let all = pipe.take(4_000 * line.count)
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
