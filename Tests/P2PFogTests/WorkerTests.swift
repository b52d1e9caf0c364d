import GatewayPlugin
import Glibc
import Peering
import PluginStorage
import Testing

@testable import P2PFog

@Suite("The fog worker", .serialized)
struct WorkerTests {
  static let cannotIsolate: @Sendable () -> Result<Sandbox, IsolationRefusal> = {
    .failure(IsolationRefusal("bubblewrap is not installed"))
  }

  static func refusal(_ body: () throws -> Void) -> String? {
    do {
      try body()
      return nil
    } catch CallFailure.refused(let code, _) { return code } catch { return "\(error)" }
  }

  @Test("a node registers, and then tells in every heartbeat what was measured")
  func heartbeatsAreMeasured() throws {
    var settings = WorkerSettings()
    settings.name = "the node"
    settings.region = "eu"
    settings.millicores = 500
    let bench = try WorkerBench(settings, isolate: Self.cannotIsolate)
    bench.begin(waitsForIsolation: false)
    bench.expect("there are heartbeats") {
      bench.coordinator.book.withLock { $0.reports.count > 5 }
    }
    let book = bench.coordinator.book.withLock { $0 }
    #expect(book.registrations.count == 1)
    let report = try #require(book.reports.last)
    #expect(report.name == "the node" && report.region == "eu" && report.cpuMillicores == 500)
    #expect(report.memoryMegabytes > 0 && report.diskMegabytes > 0 && !report.isDraining)
    #expect(report.capabilities == ["region:eu"])
    #expect(report.isolationRefusal == "bubblewrap is not installed")
  }

  @Test("where programs cannot be isolated a process job is refused, with the reason")
  func isolationIsRefused() throws {
    let bench = try WorkerBench(isolate: Self.cannotIsolate)
    bench.begin(waitsForIsolation: false)
    let offer = bench.offer("one", ["true"])
    #expect(
      Self.refusal { _ = try bench.coordinator.ask("fog.lease", offer.json) } == "CANNOT_ISOLATE"
    )
  }

  @Test("a coordinator that the node does not know it is refused again, and registers anew")
  func theNodeRegistersAgain() throws {
    let bench = try WorkerBench(isolate: Self.cannotIsolate)
    bench.coordinator.book.withLock {
      $0.failure = { method, count in
        method == "fog.heartbeat" && count == 3
          ? .refused(code: "UNKNOWN_NODE", message: "who?") : nil
      }
    }
    bench.begin(waitsForIsolation: false)
    bench.expect("it registers twice") {
      bench.coordinator.book.withLock { $0.registrations.count == 2 && $0.reports.count > 5 }
    }
  }

  @Test("a node that is not admitted asks seldom, and its health is degraded, not unhealthy")
  func refusedNodesAskSeldom() throws {
    let bench = try WorkerBench(isolate: Self.cannotIsolate)
    bench.coordinator.book.withLock {
      $0.failure = { _, _ in .refused(code: "NOT_ADMITTED", message: "no") }
    }
    bench.worker.join(coordinator: bench.coordinator.peer)
    bench.worker.activate()
    for _ in 0..<20 {
      bench.worker.advance()
      usleep(10_000)
    }
    #expect(bench.coordinator.book.withLock { $0.counts["fog.register"] } == 1)
    #expect(bench.worker.health.isDegraded)
  }

  @Test("offers of strangers, and what no one could run, are refused")
  func strangersAreRefused() throws {
    let bench = try WorkerBench(isolate: Self.cannotIsolate)
    bench.begin(waitsForIsolation: false)
    bench.worker.isolation.withLock { $0 = Self.cannotIsolate() }
    let coordinator = bench.coordinator
    #expect(
      Self.refusal { _ = try coordinator.ask("fog.lease", ["type": "process"]) }
        == "VALIDATION_ERROR"
    )
    var offer = bench.offer("one", ["true"])
    offer.type = .train
    #expect(Self.refusal { _ = try coordinator.ask("fog.lease", offer.json) } == "NO_CAPABILITY")
    #expect(try coordinator.ask("fog.cancel", ["lease_id": "none", "reason": ""]) == CallBody())
  }

  // MARK: - The book alone

  static func book(_ change: (inout WorkerBook) -> Void = { _ in }) -> WorkerBook {
    var book = WorkerBook()
    book.isResting = false
    book.join(ScriptedCoordinator.id(2))
    _ = book.due(at: 0)
    book.answered(ScriptedCoordinator.id(2), sent: 0, interval: 1_000_000_000)
    change(&book)
    return book
  }

  static let room = WorkerBook.Room(
    millicores: 2000,
    memoryMegabytes: 1024,
    diskMegabytes: 512,
    gpus: 0,
    jobs: 3
  )

  static func offer(_ id: String, _ change: (inout LeaseOffer) -> Void = { _ in }) -> LeaseOffer {
    var offer = LeaseOffer(
      leaseID: id,
      jobID: id,
      type: .process,
      requirements: Requirements(),
      parameters: [:],
      inputs: [],
      outputBytes: 0,
      logBytes: 0,
      leaseSeconds: 5
    )
    change(&offer)
    return offer
  }

  @Test(
    "a job that has ended uses no room, and no more than one for each place may wait to be told of"
  )
  func endedJobsUseNoRoom() throws {
    var book = Self.book()
    let peer = ScriptedCoordinator.id(2)
    let room = WorkerBook.Room(
      millicores: 2000,
      memoryMegabytes: 1024,
      diskMegabytes: 512,
      gpus: 0,
      jobs: 1
    )
    let first = try #require(try book.take(Self.offer("a"), from: peer, room, at: 0))
    #expect(
      Self.refusal { _ = try book.take(Self.offer("b"), from: peer, room, at: 0) } == "NO_ROOM"
    )
    first.leaveRoom()
    #expect(book.free(of: room) == room)
    let second = try #require(try book.take(Self.offer("b"), from: peer, room, at: 0))
    second.leaveRoom()
    #expect(
      Self.refusal { _ = try book.take(Self.offer("c"), from: peer, room, at: 0) } == "NO_ROOM"
    )
    book.forget(first.key)
    #expect(try book.take(Self.offer("c"), from: peer, room, at: 0) != nil)
  }

  @Test("room is counted over all coordinators, to its edge and not one past")
  func roomIsCounted() throws {
    var book = Self.book()
    let other = ScriptedCoordinator.id(3)
    book.join(other)
    _ = book.due(at: 0)
    book.answered(other, sent: 0)
    let peer = ScriptedCoordinator.id(2)
    #expect(try book.take(Self.offer("a"), from: peer, Self.room, at: 0) != nil)
    // The same name of another coordinator is another lease.
    #expect(try book.take(Self.offer("a"), from: other, Self.room, at: 0) != nil)
    #expect(book.free(of: Self.room).millicores == 0)
    #expect(
      Self.refusal { _ = try book.take(Self.offer("b"), from: peer, Self.room, at: 0) } == "NO_ROOM"
    )
    book.forget(.init(peer, "a"))
    #expect(try book.take(Self.offer("b"), from: peer, Self.room, at: 0) != nil)
    for path: WritableKeyPath<Requirements, Int> in [
      \.cpuMillicores, \.memoryMegabytes, \.diskMegabytes, \.gpuCount,
    ] {
      var empty = Self.book()
      let large = Self.offer("x") { $0.requirements[keyPath: path] = 100_000 }
      #expect(Self.refusal { _ = try empty.take(large, from: peer, Self.room, at: 0) } == "NO_ROOM")
    }
  }

  @Test("each GPU belongs to one lease at a time")
  func gpusAreShared() throws {
    var book = Self.book()
    let peer = ScriptedCoordinator.id(2)
    var room = Self.room
    room.gpus = 3
    func take(_ id: String, _ count: Int) throws -> [Int]? {
      let offer = Self.offer(id) {
        $0.requirements.gpuCount = count
        $0.requirements.cpuMillicores = 100
        $0.requirements.memoryMegabytes = 16
        $0.requirements.diskMegabytes = 1
      }
      return try book.take(offer, from: peer, room, at: 0)?.gpus
    }
    #expect(try take("a", 2) == [0, 1])
    #expect(try take("b", 0) == [])
    #expect(Self.refusal { _ = try take("c", 2) } == "NO_ROOM")
    book.forget(.init(peer, "b"))
    #expect(try take("d", 1) == [2])
    book.forget(.init(peer, "a"))
    #expect(try take("e", 1) == [0])
  }

  @Test("the same lease again is accepted and does not run twice, even after its end")
  func leasesRunOnce() throws {
    var book = Self.book()
    let peer = ScriptedCoordinator.id(2)
    #expect(try book.take(Self.offer("a"), from: peer, Self.room, at: 0) != nil)
    #expect(try book.take(Self.offer("a"), from: peer, Self.room, at: 1) == nil)
    book.forget(.init(peer, "a"))
    #expect(try book.take(Self.offer("a"), from: peer, Self.room, at: 2) == nil)
    #expect(book.held.isEmpty)
  }

  @Test("a draining node, a resting one, and one that never joined take nothing")
  func nothingIsTaken() {
    let peer = ScriptedCoordinator.id(2)
    var draining = Self.book { $0.isDraining = true }
    #expect(
      Self.refusal { _ = try draining.take(Self.offer("a"), from: peer, Self.room, at: 0) }
        == "DRAINING"
    )
    var resting = Self.book { $0.isResting = true }
    #expect(
      Self.refusal { _ = try resting.take(Self.offer("a"), from: peer, Self.room, at: 0) }
        == "DRAINING"
    )
    #expect(resting.due(at: 1 << 60).isEmpty)
    var book = Self.book()
    let stranger = ScriptedCoordinator.id(9)
    #expect(
      Self.refusal { _ = try book.take(Self.offer("a"), from: stranger, Self.room, at: 0) }
        == "NOT_ADMITTED"
    )
  }

  @Test("a lease is lost when no heartbeat was sent in time, and renewed by one that was")
  func leasesAreLost() throws {
    var book = Self.book()
    let lease = try #require(
      try book.take(Self.offer("a"), from: ScriptedCoordinator.id(2), Self.room, at: 0)
    )
    #expect(book.lost(at: 4_999_999_999).isEmpty)
    #expect(book.lost(at: 5_000_000_000).count == 1)
    lease.renew(at: 3_000_000_000)
    #expect(book.lost(at: 7_999_999_999).isEmpty && book.lost(at: 8_000_000_000).count == 1)
    // An answer that overtook another renews nothing backwards.
    lease.renew(at: 1_000_000_000)
    #expect(book.lost(at: 7_999_999_999).isEmpty)
  }

  @Test("a coordinator is called again after its interval, never twice at once")
  func coordinatorsAreCalled() {
    var book = WorkerBook()
    let peer = ScriptedCoordinator.id(2)
    book.join(peer)
    #expect(book.due(at: 0).isEmpty, "it rests")
    book.isResting = false
    #expect(book.due(at: 0).map(\.isRegistered) == [false])
    #expect(book.due(at: 1 << 50).isEmpty, "it is being called")
    book.failed(peer, .timeout, at: 10)
    #expect(book.due(at: 1_000_000_009).isEmpty)
    #expect(book.due(at: 1_000_000_010).count == 1)
    book.answered(peer, sent: 2_000_000_000, interval: 500_000_000)
    #expect(book.due(at: 2_000_000_000).map(\.isRegistered) == [true])
    book.answered(peer, sent: 2_000_000_000)
    #expect(book.due(at: 2_499_999_999).isEmpty && book.due(at: 2_500_000_000).count == 1)
    book.failed(peer, .refused(code: "UNKNOWN_NODE", message: ""), at: 3_000_000_000)
    #expect(book.due(at: 3_000_000_000).map(\.isRegistered) == [false])
    book.failed(peer, .refused(code: "UNKNOWN_NODE", message: ""), at: 3_000_000_000)
    #expect(book.due(at: 12_999_999_999).isEmpty && book.due(at: 13_000_000_000).count == 1)
  }
}

extension Health {
  /// As the host is told.
  var isDegraded: Bool { "\(self)".contains("degraded") }
}
