import Glibc
import Synchronization
import Testing

@testable import Gateway

@Suite("Signals on a loop")
struct SignalsTests {
  // Sent to one thread alone: the other threads of the test run do not block these signals and would die of them.
  @Test func `reach the handler in turn instead of ending the process`() throws {
    let seen = Mutex<[CInt]>([])
    let failure = Mutex<String?>(nil)
    let thread = try HostThread(name: "signals") {
      do {
        let loop = try EventLoop()
        let signals = try Signals { number in seen.withLock { $0.append(number) } }
        try signals.watch(on: loop)
        for number in [SIGTERM, SIGHUP, SIGINT] { pthread_kill(pthread_self(), number) }
        try run(loop) { seen.withLock { $0.count >= 3 } }
      } catch {
        failure.withLock { $0 = "\(error)" }
      }
    }
    thread.join()
    #expect(failure.withLock { $0 } == nil)
    #expect(Set(seen.withLock { $0 }) == [SIGTERM, SIGHUP, SIGINT])
    #expect(seen.withLock { $0.count } == 3)
  }
}
