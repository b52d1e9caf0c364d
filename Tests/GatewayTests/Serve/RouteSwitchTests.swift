import CLinux
import Synchronization
import Testing

@testable import Gateway

@Suite("A change of what all loops serve")
struct RouteSwitchTests {
  /// Runs one loop on a thread of its own for each of `ends`, as the gateway does.
  private static func run(_ ends: [ServerEnd], _ bench: ServerBench) throws -> [HostThread] {
    let (core, desk) = (bench.core, bench.desk)
    return try ends.map { end in
      let hasBegun = Monitor(false)
      let thread = try HostThread(name: "loop") {
        guard let loop = try? EventLoop() else { return }
        let server = Server(core: core, loop: loop, end: end, desk: desk)
        hasBegun.withLock { $0 = true }
        hasBegun.wakeAll()
        withExtendedLifetime(server) { try? loop.run() }
      }
      let _: Bool? = hasBegun.wait { $0 ? true : nil }
      return thread
    }
  }

  private static func stop(_ ends: [ServerEnd], _ threads: [HostThread]) {
    for end in ends {
      end.post { server in
        server.loop.stop()
        server.end.detach()
      }
    }
    for thread in threads { thread.join() }
  }

  @Test func `waits for no loop that has not begun, which then begins with the change`() throws {
    let routes = try RouteBench()
    let bench = try ServerBench()
    let ends = [ServerEnd(index: 0)]
    RouteSwitch(core: bench.core, ends: ends).publish(
      [try routes.route("GET", "/new")],
      topics: []
    )
    let threads = try Self.run(ends, bench)
    let names = Monitor<[String]?>(nil)
    ends[0].post { server in
      let found = server.currentRoutes().pluginRoutes.map(\.name)
      names.withLock { $0 = found }
      names.wakeAll()
    }
    #expect(names.wait { $0 } == ["GET /new"])
    Self.stop(ends, threads)
    try routes.end()
  }

  @Test(arguments: [1, 3])
  func `returns once every loop has come by, and not before`(_ count: Int) throws {
    let bench = try ServerBench()
    let ends = (0..<count).map { ServerEnd(index: $0) }
    let threads = try Self.run(ends, bench)
    let order = Monitor<[String]>([])
    let isFree = Monitor(false)
    let last = ends[count - 1]
    last.post { _ in let _: Bool? = isFree.wait { $0 ? true : nil } }
    let before = bench.core.servedVersion
    let core = bench.core
    let publisher = try HostThread(name: "publisher") {
      RouteSwitch(core: core, ends: ends).publish([], topics: [])
      order.withLock { $0.append("published") }
    }
    #expect(eventually { core.servedVersion != before })
    order.withLock { $0.append("freed") }
    isFree.withLock { $0 = true }
    isFree.wakeAll()
    publisher.join()
    #expect(order.withLock { $0 } == ["freed", "published"])
    Self.stop(ends, threads)
  }

  @Test func `names the loop that does not come back, and goes on`() throws {
    let written = try WrittenLog()
    let bench = try ServerBench(writer: written.writer)
    let ends = [ServerEnd(index: 0), ServerEnd(index: 1)]
    let threads = try Self.run(ends, bench)
    let isFree = Monitor(false)
    ends[1].post { _ in let _: Bool? = isFree.wait { $0 ? true : nil } }
    let change = RouteSwitch(core: bench.core, ends: ends, patience: .milliseconds(50))
    change.hold("answers")
    isFree.withLock { $0 = true }
    isFree.wakeAll()
    change.release("answers")
    Self.stop(ends, threads)
    let lines = written.lines()
    #expect(lines.count == 1)
    #expect(lines.first?.contains("a loop has not followed a change in time") == true)
    #expect(lines.first?.contains("loop=1") == true)
    #expect(lines.first?.contains("change=hold") == true)
  }

  @Test func `a loop that ends while it is waited for is not waited for any more`() throws {
    let bench = try ServerBench()
    let end = ServerEnd(index: 0)
    let threads = try Self.run([end], bench)
    let hasLeft = Monitor(false)
    end.post { server in
      server.loop.stop()
      // What is posted from here on, the loop does not run: it looks for no more jobs.
      let core = server.core
      let ends = [server.end]
      let before = core.servedVersion
      let publisher = try? HostThread(name: "publisher") {
        RouteSwitch(core: core, ends: ends).publish([], topics: [])
        hasLeft.withLock { $0 = true }
        hasLeft.wakeAll()
      }
      #expect(eventually { core.servedVersion != before })
      server.end.detach()
      publisher?.detach()
    }
    let returned: Bool? = hasLeft.wait(until: MonotonicClock.now + 5_000_000_000) {
      $0 ? true : nil
    }
    #expect(returned == true)
    for thread in threads { thread.join() }
    RouteSwitch(core: bench.core, ends: [end]).publish([], topics: [])
  }
}
