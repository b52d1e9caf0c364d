import Glibc

/// Ends a `poll` of another thread.
struct Wakeup: ~Copyable, Sendable {
  private let ends: (read: Int32, write: Int32)

  init() throws(NetworkError) {
    var pair: [Int32] = [-1, -1]
    guard unsafe pipe(&pair) == 0 else { throw .last("pipe") }
    for end in pair {
      _ = fcntl(end, F_SETFD, FD_CLOEXEC)
      _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    ends = (pair[0], pair[1])
  }

  deinit {
    _ = close(ends.read)
    _ = close(ends.write)
  }

  /// What `poll` waits for.
  var descriptor: Int32 { ends.read }

  /// From any thread; a full pipe already wakes.
  func signal() {
    var byte: UInt8 = 1
    _ = unsafe write(ends.write, &byte, 1)
  }

  /// On the woken thread, before it looks at what it was woken for.
  func drain() {
    var bytes = [UInt8](repeating: 0, count: 256)
    while unsafe read(ends.read, &bytes, bytes.count) > 0 {}
  }
}
