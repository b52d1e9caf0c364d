import CLinux
import Glibc
import Synchronization
import Testing

@testable import Gateway

@Suite("Threads with a name")
struct HostThreadTests {
  /// The name the kernel has of a thread that was asked for as `name`.
  private func kernelName(of name: String) throws -> String {
    let found = Mutex("")
    let thread = try HostThread(name: name) {
      var bytes = [UInt8](repeating: 0, count: 32)
      let file = open("/proc/thread-self/comm", O_RDONLY)
      let count = read(file, &bytes, bytes.count)
      close(file)
      found.withLock { $0 = String(decoding: bytes[..<max(count - 1, 0)], as: UTF8.self) }
    }
    thread.join()
    return found.withLock { $0 }
  }

  @Test(arguments: [
    ("loop 1", "loop 1"), ("fifteen letters", "fifteen letters"),
    ("sixteen letters!", "sixteen letters"), ("", ""),
    ("données à importer", "données à imp"), ("日本語の仕事です", "日本語の仕"),
  ])
  func `shows its name, cut at fifteen bytes between characters`(_ name: String, _ shown: String)
    throws
  {
    #expect(try kernelName(of: name) == shown)
  }

  @Test func `is current in its own body alone`() throws {
    let held = Mutex<HostThread?>(nil)
    let start = Monitor(false)
    let inside = Atomic<Bool>(false)
    let thread = try HostThread(name: "self") {
      let _: Bool? = start.wait { $0 ? true : nil }
      inside.store(held.withLock { $0?.isCurrent } ?? false, ordering: .relaxed)
    }
    held.withLock { $0 = thread }
    #expect(!thread.isCurrent)
    start.withLock { $0 = true }
    start.wakeAll()
    thread.join()
    let wasCurrent = inside.load(ordering: .relaxed)
    #expect(wasCurrent)
  }

  @Test func `knows the kernel's numbers of its threads and of no others`() throws {
    let number = Atomic<Int32>(0)
    let thread = try HostThread(name: "number") {
      number.store(linux_thread_number(), ordering: .relaxed)
    }
    thread.join()
    #expect(HostThread.started(number.load(ordering: .relaxed)) { _ in true })
    #expect(!HostThread.started(-5) { _ in true })
    let foreign = Atomic<Int32>(0)
    runThreads(1) { foreign.store(linux_thread_number(), ordering: .relaxed) }
    #expect(!HostThread.started(foreign.load(ordering: .relaxed)) { _ in true })
  }

  @Test func `a detached thread runs too`() throws {
    let done = Monitor(false)
    try HostThread(name: "detached") {
      done.withLock { $0 = true }
      done.wakeAll()
    }.detach()
    #expect(done.wait(until: MonotonicClock.now + 10_000_000_000) { $0 ? true : nil } == true)
  }
}
