import Foundation
import GatewayPlugin
import Glibc
import Peering
import PluginStorage
import TestSupport
import Testing

@testable import P2PFog

@Suite(
  "Leases of a fog worker",
  .serialized,
  .enabled(if: WorkerBench.refusal == nil, "\(WorkerBench.refusal?.description ?? "")")
)
struct WorkerLeaseTests {
  static func begin(_ bench: WorkerBench, _ offer: LeaseOffer) throws {
    bench.begin()
    _ = try bench.coordinator.ask("fog.lease", offer.json)
  }

  @Test(
    "a bundle's command runs once although every call is made twice and every third answer is lost"
  )
  func repeatedCallsChangeNothing() throws {
    let bench = try WorkerBench()
    bench.coordinator.book.withLock {
      $0.losesAnswer = { method, count in
        ["fog.log", "fog.output", "fog.input"].contains(method) && count % 3 == 1
      }
      $0.failure = { method, count in
        ["fog.log", "fog.output", "fog.input", "fog.finish"].contains(method) && count % 4 == 0
          ? .timeout : nil
      }
    }
    bench.begin()
    let content = String(repeating: "0123456789abcdef", count: 50_000)
    let bundle = TarBuilder.gzip(
      TarBuilder.archive(
        TarBuilder.file(
          "run.sh",
          "cat data/big; cat data/big > outputs/big; : > outputs/empty\n"
        ),
        TarBuilder.file("data/big", content)
      )
    )
    let end = try bench.run("sh run.sh", bundle: bundle)
    #expect(end.outcome == "succeeded" && end.exitCode == 0)
    #expect(bench.coordinator.text("lease") == content)
    #expect(bench.coordinator.output("lease", "big") == Array(content.utf8))
    #expect(bench.coordinator.output("lease", "empty") == [])
    #expect(bench.coordinator.book.withLock { $0.finishes["lease"]?.count } == 1)
    #expect(end.usage.outputBytes == content.utf8.count)
  }

  @Test("the same lease offered again while it runs, and after, does not run a second time")
  func anOfferRepeatedRunsOnce() throws {
    let bench = try WorkerBench()
    let offer = bench.offer("a", ["/bin/sh", "-c", "echo run; sleep 0.3"])
    try Self.begin(bench, offer)
    _ = try bench.coordinator.ask("fog.lease", offer.json)
    bench.expect("it ends") { bench.coordinator.finish("a") != nil }
    bench.expect("its thread ends") { bench.worker.book.withLock { $0.held.isEmpty } }
    _ = try bench.coordinator.ask("fog.lease", offer.json)
    #expect(bench.worker.book.withLock { $0.held.isEmpty })
    #expect(bench.coordinator.text("a") == "run\n")
  }

  @Test("heartbeats tell the state, the usage and the progress of a lease")
  func heartbeatsTellOfLeases() throws {
    let bench = try WorkerBench()
    try Self.begin(
      bench,
      bench.offer(
        "a",
        ["/bin/sh", "-c", "i=0; while [ $i -lt 300000 ]; do i=$((i+1)); done; sleep 0.5"]
      )
    )
    bench.expect("a heartbeat tells of work") {
      bench.coordinator.book.withLock { book in
        book.beats.flatMap(\.self).contains {
          $0["lease_id"] == "a" && $0["state"] == "running"
            && ($0["usage"]?["cpu_ms"]?.asInteger ?? 0) > 10
            && ($0["progress"]?.asNumber ?? 0) > 0
        }
      }
    }
  }

  @Test(
    "a cancelled job is killed, tells so once, and leaves nothing",
    arguments: ["call", "heartbeat"]
  )
  func cancelledJobsAreKilled(way: String) throws {
    let bench = try WorkerBench()
    try Self.begin(bench, bench.offer("a", ["/bin/sh", "-c", "echo begun; sleep 60"]))
    bench.expect("it runs") { bench.coordinator.text("a") == "begun\n" }
    if way == "call" {
      _ = try bench.coordinator.ask("fog.cancel", ["lease_id": "a", "reason": "user"])
    } else {
      bench.coordinator.book.withLock { $0.cancels["a"] = "gone" }
    }
    bench.expect("its thread ends", seconds: 5) { bench.worker.book.withLock { $0.held.isEmpty } }
    #expect(bench.coordinator.finish("a")?.outcome == "cancelled")
    #expect(bench.coordinator.book.withLock { $0.finishes["a"]?.count } == 1)
    #expect(bench.folder.all == ["leases"])
    #expect(Self.processes(in: bench).isEmpty)
  }

  @Test("when the coordinator is away for longer than the lease, the job is stopped and dropped")
  func lostLeasesAreDropped() throws {
    let bench = try WorkerBench()
    try Self.begin(
      bench,
      bench.offer("a", ["/bin/sh", "-c", "echo begun; sleep 60"]) { $0.leaseSeconds = 1 }
    )
    bench.expect("it runs") { bench.coordinator.text("a") == "begun\n" }
    bench.coordinator.book.withLock { $0.failure = { _, _ in .unreachable("gone") } }
    bench.expect("its thread ends", seconds: 10) { bench.worker.book.withLock { $0.held.isEmpty } }
    #expect(bench.coordinator.finish("a") == nil)
    #expect(bench.folder.all == ["leases"])
  }

  @Test("a coordinator that is away for less than the lease is not noticed by the job")
  func shortAbsenceIsNotNoticed() throws {
    let bench = try WorkerBench()
    try Self.begin(bench, bench.offer("a", ["/bin/sh", "-c", "echo begun; sleep 1; echo over"]))
    bench.expect("it runs") { bench.coordinator.text("a") == "begun\n" }
    bench.coordinator.book.withLock { $0.failure = { _, _ in .timeout } }
    usleep(1_500_000)
    bench.coordinator.book.withLock { $0.failure = nil }
    bench.expect("it ends") { bench.coordinator.finish("a")?.outcome == "succeeded" }
    #expect(bench.coordinator.text("a") == "begun\nover\n")
  }

  @Test("a coordinator that takes seconds for a piece of log does not keep a job from its limits")
  func slowCoordinatorsHoldNothingUp() throws {
    let bench = try WorkerBench()
    bench.begin()
    bench.coordinator.book.withLock { $0.delay = { $0 == "fog.log" ? 4_000_000 : 0 } }
    let end = try bench.run("echo begun; while :; do :; done") {
      $0.requirements.maxDurationSeconds = 1
    }
    #expect(end.reason == "time: the job ran longer than 1 s")
    #expect((1000...2500).contains(end.usage.wallMilliseconds))
    #expect(bench.coordinator.text("lease") == "begun\n")
  }

  @Test("inputs that are more than the disk that was asked for are not even fetched")
  func largeInputsAreNotFetched() throws {
    let bench = try WorkerBench()
    bench.begin()
    let end = try bench.run("true", files: [("a", [UInt8](repeating: 1, count: 1_048_577))]) {
      $0.requirements.diskMegabytes = 1
    }
    #expect(end.outcome == "failed" && end.reason.hasPrefix("disk: the job's inputs"))
    #expect(bench.coordinator.book.withLock { $0.counts["fog.input"] } == nil)
    let edge = try bench.run(
      "wc -c inputs/a",
      id: "edge",
      files: [("a", [UInt8](repeating: 1, count: 1_000_000))]
    ) {
      $0.requirements.diskMegabytes = 1
    }
    #expect(edge.outcome == "succeeded" && bench.coordinator.text("edge") == "1000000 inputs/a\n")
  }

  @Test("a node that rests gives its jobs back at once")
  func restingNodesGiveBack() throws {
    let bench = try WorkerBench()
    try Self.begin(bench, bench.offer("a", ["/bin/sh", "-c", "echo begun; sleep 60"]))
    bench.expect("it runs") { bench.coordinator.text("a") == "begun\n" }
    bench.worker.quiesce()
    bench.expect("its thread ends", seconds: 5) { bench.worker.book.withLock { $0.held.isEmpty } }
    let end = try #require(bench.coordinator.finish("a"))
    #expect(end.outcome == "failed" && end.reason == "node: restarting")
    #expect(bench.folder.all == ["leases"])
  }

  @Test("a draining node finishes what it has")
  func drainingNodesFinish() throws {
    let bench = try WorkerBench()
    try Self.begin(bench, bench.offer("a", ["/bin/sh", "-c", "sleep 0.5; echo over"]))
    bench.worker.drain()
    #expect(
      WorkerTests.refusal {
        _ = try bench.coordinator.ask("fog.lease", bench.offer("b", ["true"]).json)
      } == "DRAINING"
    )
    bench.expect("it ends") { bench.coordinator.finish("a")?.outcome == "succeeded" }
    bench.expect("it is said") {
      bench.coordinator.book.withLock { $0.reports.last?.isDraining == true }
    }
  }

  @Test("a file that comes otherwise than promised is the node's trouble, a bad bundle the job's")
  func faultsAreToldApart() throws {
    let bench = try WorkerBench()
    bench.begin()
    let changed = try bench.run("true", id: "changed", files: [("a", [1, 2, 3])]) {
      $0.inputs[0].sha256 = String(repeating: "0", count: 64)
    }
    #expect(
      changed.reason == "node: the file file-changed-0 came with another SHA-256 than was said"
    )
    let evil = try bench.run(
      "true",
      id: "evil",
      bundle: TarBuilder.archive(TarBuilder.file("../x", "x"))
    )
    #expect(evil.outcome == "failed" && evil.reason.hasPrefix("bundle: ") && evil.exitCode == nil)
    let parameters = try bench.run("true", id: "parameters") { $0.parameters = ["command": []] }
    #expect(parameters.reason.hasPrefix("parameters: "))
    let link = try bench.run(
      "true",
      id: "link",
      bundle: TarBuilder.archive(TarBuilder.folder("x"), TarBuilder.link("inputs", "x")),
      files: [("a", [1])]
    )
    #expect(link.reason == "bundle: The bundle's entry inputs is no folder.")
  }

  @Test("after the end of the process with everything in it, the next start removes what it left")
  func leftoversAreRemoved() throws {
    let folder = WorkerFolder()
    let leases = folder.path + "/leases"
    mkdir(leases, 0o700)
    let sandbox = try SandboxCheck.sandbox(hiding: folder.path, trying: leases).get()
    // As a killed gateway leaves them: a folder whose lock nobody holds, a group, and in it a process that did not die.
    let name = "fog-\(UUID4.make())"
    mkdir("\(leases)/\(name)", 0o700)
    folder.write("leases/\(name)/lock", [])
    mkdir("\(leases)/\(name)/work", 0o700)
    folder.write("leases/\(name)/work/file", [1])
    let group = try ControlGroup(
      making: name,
      in: sandbox.place,
      .init(memoryBytes: 64 << 20, millicores: 1000, processes: 16)
    )
    let survivor = try Survivor(in: group)
    let held = try LeaseFolder(in: leases)
    #expect(group.members == [survivor.process])
    #expect(LeaseFolder.removeLeftovers(in: leases, sandbox.place) == [])
    #expect(survivor.hasEnded)
    #expect(!SandboxTests.groups(sandbox.place).contains(name))
    // What another generation works in stays.
    #expect(
      folder.all.filter { $0.hasPrefix("leases/fog-") && !$0.dropFirst(11).contains("/") } == [
        "leases/\(held.name)"
      ]
    )
    try held.remove()
    #expect(folder.all == ["leases"])
  }

  @Test("a command dies with the thread that started it, as with the whole gateway")
  func commandsDieWithTheirThread() throws {
    let folder = WorkerFolder()
    let leases = folder.path + "/leases"
    mkdir(leases, 0o700)
    let sandbox = try SandboxCheck.sandbox(hiding: folder.path, trying: leases).get()
    let lease = try LeaseFolder(in: leases)
    try lease.giveToJob()
    let limits = ControlGroup.Limits(memoryBytes: 64 << 20, millicores: 1000, processes: 16)
    let group = try ControlGroup(making: lease.name, in: sandbox.place, limits)
    let mayEnd = WorkerBench.Flag()
    Thread.detachNewThread {
      let order = SandboxOrder(
        command: ["/bin/sh", "-c", "setsid sleep 60 & sleep 60"],
        work: lease.work,
        temporary: lease.temporary,
        users: lease.users,
        limits: limits,
        fileBytes: 1 << 20
      )
      // Never let go: its own end must not be what kills the command.
      if let process = try? SandboxProcess(order, sandbox, in: group) {
        _ = Unmanaged.passRetained(process)
      }
      while !mayEnd.isUp { usleep(5000) }
    }
    let bench = try WorkerBench()
    bench.expect("it runs") { group.members.count >= 4 }
    mayEnd.raise()
    bench.expect("nothing of it is left", seconds: 5) {
      // What has died is still to be reaped by this process.
      group.members.allSatisfy { SystemFile.text("/proc/\($0)/stat")?.contains(") Z ") != false }
    }
    #expect(group.kill() && group.remove())
    try lease.remove()
  }

  /// Processes that have the bench's folder as their own, seen from outside.
  static func processes(in bench: WorkerBench) -> [String] {
    SystemFile.names(in: "/proc").filter { $0.allSatisfy(\.isNumber) }.filter { id in
      SystemFile.text("/proc/\(id)/mountinfo")?.contains(bench.folder.path) == true
    }
  }
}

/// A process in a control group that nobody waits for but this.
private final class Survivor {
  let process: pid_t

  init(in group: ControlGroup) throws {
    var pid: pid_t = 0
    var words = ["/bin/sleep", "60"].map { (word: String) in strdup(word) } + [nil]
    defer { words.forEach { free($0) } }
    posix_spawn(&pid, "/bin/sleep", nil, nil, &words, nil)
    process = pid
    for door in group.doors { try SystemFile.write("\(pid)", to: door) }
  }

  var hasEnded: Bool {
    var status: CInt = 0
    return waitpid(process, &status, 0) == process && status & 0x7F == SIGKILL
  }
}
