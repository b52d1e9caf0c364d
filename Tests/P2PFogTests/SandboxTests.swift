import Glibc
import TestSupport
import Testing

@testable import P2PFog

@Suite(
  "The sandbox",
  .serialized,
  .enabled(if: WorkerBench.refusal == nil, "\(WorkerBench.refusal?.description ?? "")")
)
struct SandboxTests {
  @Test("a command runs in its work folder, as nobody, with an environment of its own")
  func aCommandRuns() throws {
    let bench = try WorkerBench()
    bench.begin()
    let script = """
      pwd; id -u; echo "$GREETING $HOME"; env | sort | cut -d= -f1 | tr '\\n' ' '; echo; cat inputs/data.txt
      echo trouble >&2; mkdir -p outputs/deep; printf result > outputs/deep/file; exit 3
      """
    let end = try bench.run(
      script,
      environment: ["GREETING": "hello"],
      files: [("data.txt", Array("some data\n".utf8))]
    )
    #expect(end.outcome == "failed" && end.exitCode == 3)
    #expect(end.reason == "exit: the command ended with code 3")
    let said = bench.coordinator.text("lease")
    #expect(
      said == "/work\n65534\nhello /work\nGREETING HOME LC_ALL PATH PWD TMPDIR \nsome data\n"
    )
    #expect(bench.coordinator.text("lease", "stderr") == "trouble\n")
    #expect(bench.coordinator.output("lease", "deep/file") == Array("result".utf8))
    #expect(
      bench.coordinator.book.withLock { $0.digests["lease/deep/file"] }
        == TarBuilder.sha256(Array("result".utf8))
    )
    #expect(end.usage.memoryPeakMegabytes > 0 && end.usage.wallMilliseconds > 0)
    #expect(end.usage.outputBytes == 6)
    #expect(bench.folder.all == ["leases"])
  }

  @Test("the filter refuses each system call that reaches past a process's own work")
  func systemCallsAreRefused() throws {
    let bundle = try #require(SandboxProbe.bundle, "there is no C compiler")
    let bench = try WorkerBench()
    bench.begin()
    let end = try bench.run("./probe", bundle: bundle)
    #expect(end.exitCode == 0)
    var results: [String: Int] = [:]
    for line in bench.coordinator.text("lease").split(separator: "\n") {
      let words = line.split(separator: " ")
      results[String(words[0])] = words.count == 2 ? Int(words[1]) : nil
    }
    let expected: [String: Int32] = [
      "clone3": ENOSYS, "vsock": EAFNOSUPPORT, "packet": EAFNOSUPPORT, "netlink": EAFNOSUPPORT,
      "alg": EAFNOSUPPORT, "inet": 0, "connect_far": ENETUNREACH,
    ]
    #expect(results.count >= 39)
    for (name, code) in results {
      #expect(code == Int(expected[name] ?? EPERM), "\(name)")
    }
  }

  @Test("nothing of the machine can be written, and the gateway's data cannot be seen")
  func theMachineIsOutOfReach() throws {
    let bench = try WorkerBench()
    bench.folder.write("secret", Array("the key".utf8))
    bench.begin()
    let script = """
      for place in / /usr /etc /bin /dev /proc/sys/kernel/hostname /proc/sys/kernel/core_pattern \
        /proc/sys/vm/swappiness /proc/sysrq-trigger; do
        if [ -d $place ]; then (echo x > $place/probe) 2>/dev/null && echo "wrote $place"
        else (echo x > $place) 2>/dev/null && echo "wrote $place"; fi
      done
      cat \(bench.folder.path)/secret 2>/dev/null && echo 'read the secret'
      ls -d /home /root /var /sys /run /opt /srv /mnt /boot /etc/shadow /etc/hosts 2>/dev/null
      ls /tmp /work; ls /proc | grep -c '^[0-9]*$'; cat /etc/passwd; id -un; hostname
      ln -s \(bench.folder.path)/secret outputs/link; ln -s /etc/passwd outputs/passwd
      mkfifo outputs/pipe; echo fine > outputs/plain
      """
    let end = try bench.run(script)
    #expect(end.outcome == "succeeded")
    let lines = bench.coordinator.text("lease").split(separator: "\n").map { String($0) }
    #expect(!lines.contains { $0.hasPrefix("wrote") || $0.hasPrefix("read") || $0 == "the key" })
    #expect(!lines.contains { ["/home", "/root", "/var", "/sys", "/etc/shadow"].contains($0) })
    #expect(lines.contains("nobody") && lines.contains("sandbox"))
    // A link would be the machine's file, a pipe would wait for ever.
    let sent = bench.coordinator.book.withLock { $0.outputs["lease"] ?? [:] }
    #expect(sent == ["plain": Array("fine\n".utf8)])
  }

  @Test("outputs that became a link to elsewhere are not followed")
  func linkedOutputsAreNotFollowed() throws {
    let bench = try WorkerBench()
    bench.begin()
    let end = try bench.run("rmdir outputs; ln -s /etc outputs; ls outputs/ > /dev/null")
    #expect(end.outcome == "succeeded")
    #expect(bench.coordinator.book.withLock { $0.outputs["lease"] } == nil)
  }

  @Test("a fork bomb stays within its group and ends with its time")
  func aForkBombIsHeld() throws {
    let bench = try WorkerBench()
    bench.begin()
    let end = try bench.run("(f() { f | f & }; f) & while :; do :; done") {
      $0.requirements.maxDurationSeconds = 2
      // So many shells take more than a small job has, and then that would end it.
      $0.requirements.memoryMegabytes = 1024
    }
    #expect(end.reason == "time: the job ran longer than 2 s", "\(end)")
    try Self.expectNoGroups(bench)
  }

  @Test("a memory bomb is ended by the kernel, and told apart")
  func aMemoryBombIsHeld() throws {
    let bench = try WorkerBench()
    bench.begin()
    let end = try bench.run("a=x; while :; do a=$a$a; done") {
      $0.requirements.memoryMegabytes = 32
    }
    #expect(end.outcome == "failed" && end.reason == "memory: the job needed more than 32 MiB")
    #expect(end.usage.memoryPeakMegabytes <= 33)
    // What is written to the shared memory is memory, too.
    let shared = try bench.run("head -c 60M /dev/zero > /dev/shm/a; echo $?", id: "shared") {
      $0.requirements.memoryMegabytes = 32
    }
    #expect(shared.usage.memoryPeakMegabytes <= 33)
  }

  @Test("an endless job is killed at its time, with all it has started")
  func anEndlessJobIsKilled() throws {
    let bench = try WorkerBench()
    bench.begin()
    let end = try bench.run(
      "setsid sh -c 'trap \"\" TERM HUP; while :; do :; done' & trap '' TERM; while :; do :; done"
    ) {
      $0.requirements.maxDurationSeconds = 1
    }
    #expect(end.outcome == "failed" && end.exitCode == nil)
    #expect(end.reason == "time: the job ran longer than 1 s")
    // One core was asked for, and two loops ran.
    #expect((200...1700).contains(end.usage.cpuMilliseconds))
    #expect((1000...3000).contains(end.usage.wallMilliseconds))
    try Self.expectNoGroups(bench)
    #expect(bench.folder.all == ["leases"])
  }

  @Test("more than the disk quota ends a job, in one file, in many, and in too deep folders")
  func theDiskQuotaHolds() throws {
    let bench = try WorkerBench()
    bench.begin()
    let one = try bench.run("head -c 100M /dev/zero > big; ls -l big; sleep 5", id: "one") {
      $0.requirements.diskMegabytes = 4
    }
    // The kernel stops the writer at the quota; what is there is no more than that.
    #expect(!bench.coordinator.text("one").contains("104857600"))
    #expect(one.outcome == "succeeded" || one.reason.hasPrefix("disk:"))
    let file = try bench.run("exec head -c 100M /dev/zero > big", id: "file") {
      $0.requirements.diskMegabytes = 4
    }
    #expect(file.outcome == "failed" && file.reason.hasPrefix("disk: "))
    // The superuser looks into every folder; anyone else is told that one is closed.
    let closed = try bench.run(
      "mkdir d; head -c 1M /dev/zero > d/f; chmod 0 d; sleep 2",
      id: "closed"
    )
    #expect(closed.outcome == "succeeded" || closed.reason.contains("cannot be looked into"))
    #expect((closed.outcome == "succeeded") == (geteuid() == 0))
    let many = try bench.run(
      "i=0; while :; do head -c 500k /dev/zero > /tmp/f$i; i=$((i+1)); sleep 0.01; done",
      id: "many"
    ) { $0.requirements.diskMegabytes = 4 }
    #expect(many.outcome == "failed" && many.reason.hasPrefix("disk: the job's files take"))
    let deep = try bench.run(
      "i=0; while [ $i -lt 300 ]; do mkdir d && cd d; i=$((i+1)); done; sleep 5",
      id: "deep"
    )
    #expect(deep.outcome == "failed" && deep.reason == "disk: the job's folders are deeper than 64")
    #expect(bench.folder.all == ["leases"])
  }

  @Test(
    "files without a name, or with one that is no UTF-8, count against the disk and leave nothing",
    arguments: [
      "exec 3>big; rm big; i=0; while :; do head -c 500k /dev/zero >&3; sleep 0.01; done",
      "i=0; while :; do head -c 500k /dev/zero > \"$(printf '\\377')$i\"; i=$((i+1)); sleep 0.01; done",
    ]
  )
  func hiddenFiles(_ script: String) throws {
    let bench = try WorkerBench()
    bench.begin()
    let end = try bench.run(script, id: "hidden") {
      $0.requirements.diskMegabytes = 4
      $0.requirements.maxDurationSeconds = 10
    }
    #expect(end.reason.hasPrefix("disk: the job's files take"))
    #expect(bench.folder.all == ["leases"])
  }

  @Test("results over their quota fail the job and are not sent")
  func theOutputQuotaHolds() throws {
    let bench = try WorkerBench()
    bench.begin()
    let edge = try bench.run("head -c 10000 /dev/zero > outputs/a", id: "edge") {
      $0.outputBytes = 10_000
    }
    #expect(edge.outcome == "succeeded")
    #expect(bench.coordinator.output("edge", "a")?.count == 10_000)
    let past = try bench.run("head -c 10001 /dev/zero > outputs/a", id: "past") {
      $0.outputBytes = 10_000
    }
    #expect(past.outcome == "failed" && past.exitCode == 0)
    #expect(past.reason == "output: the files under outputs/ have 10001 bytes and may have 10000")
    #expect(bench.coordinator.output("past", "a") == nil)
  }

  @Test("a log is cut at its limit, which one line says, and the job goes on")
  func theLogIsCut() throws {
    let bench = try WorkerBench()
    bench.begin()
    let end = try bench.run("head -c 3000000 /dev/zero | tr '\\0' a; echo done > outputs/x") {
      $0.logBytes = 5000
    }
    #expect(end.outcome == "succeeded")
    #expect(bench.coordinator.text("lease") == String(repeating: "a", count: 5000))
    #expect(bench.coordinator.text("lease", "node").contains("The log is cut here"))
    #expect(bench.coordinator.output("lease", "x") == Array("done\n".utf8))
  }

  @Test("a command that is not there, and a signal, have exit codes")
  func exitCodesAreTold() throws {
    let bench = try WorkerBench()
    bench.begin()
    let signal = try bench.run("kill -SEGV $$", id: "signal")
    #expect(signal.exitCode == 139 && signal.outcome == "failed")
    let offer = bench.offer("absent", ["/no/such/program"])
    _ = try bench.coordinator.ask("fog.lease", offer.json)
    bench.expect("it ends") { bench.coordinator.finish("absent") != nil }
    let absent = try #require(bench.coordinator.finish("absent"))
    #expect(absent.outcome == "failed" && absent.exitCode == 127, "\(absent)")
    #expect(bench.coordinator.text("absent", "stderr").contains("No such file"))
    bench.expect("its thread ends") { bench.worker.book.withLock { $0.held.isEmpty } }
  }

  /// Expects that the groups of the bench's jobs are gone.
  static func expectNoGroups(_ bench: WorkerBench) throws {
    let place = try #require(try? bench.worker.isolation.withLock { $0 }.get().place)
    let seen = bench.seen.withLock { $0 }
    #expect(!seen.isEmpty && seen.isDisjoint(with: groups(place)))
  }

  /// Control groups of jobs that are there now.
  static func groups(_ place: ControlGroupPlace) -> [String] {
    let path =
      switch place.trees {
      case .unified(let path): path
      case .separate(let memory, _, _, _): memory
      }
    return SystemFile.names(in: path).filter { $0.hasPrefix("fog-") }
  }
}
