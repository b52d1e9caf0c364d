import Glibc
import Testing

@testable import P2PFog

/// Control groups of version 2, against files that stand for the kernel's: this shows what is written where, not what the
/// kernel makes of it.
@Suite("Control groups of version 2")
struct SandboxGroupTests {
  let folder = WorkerFolder()
  var place: ControlGroupPlace { ControlGroupPlace(.unified(folder.path)) }

  func text(_ name: String) -> String? {
    folder.read(name).map { String(decoding: $0, as: UTF8.self) }
  }

  @Test("limits are written to the group's files, and use is read from them")
  func limitsAreWritten() throws {
    mkdir(folder.path + "/job", 0o700)
    for file in ["memory.max", "memory.swap.max", "memory.oom.group", "pids.max", "cpu.max"] {
      folder.write("job/\(file)", [])
    }
    let group = try ControlGroup(
      making: "job",
      in: place,
      .init(memoryBytes: 1 << 20, millicores: 1500, processes: 7)
    )
    #expect(text("job/memory.max") == "1048576" && text("job/memory.swap.max") == "0")
    #expect(text("job/memory.oom.group") == "1" && text("job/pids.max") == "7")
    #expect(text("job/cpu.max") == "150000 100000")
    #expect(group.doors == [folder.path + "/job/cgroup.procs"])
    folder.write("job/cpu.stat", Array("usage_usec 2500000\nuser_usec 1\n".utf8))
    folder.write("job/memory.peak", Array("4096\n".utf8))
    folder.write("job/memory.events", Array("low 0\noom 1\noom_kill 3\n".utf8))
    #expect(group.use == .init(cpuMilliseconds: 2500, memoryPeakBytes: 4096, memoryKills: 3))
  }

  @Test("a limit that cannot be written is a refusal that names the file")
  func missingFilesAreRefused() {
    mkdir(folder.path + "/job", 0o700)
    let error = #expect(throws: IsolationRefusal.self) {
      try ControlGroup(
        making: "job",
        in: place,
        .init(memoryBytes: 1, millicores: 1, processes: 1)
      )
    }
    #expect(error?.description.contains("memory.max") == true)
    #expect(folder.all == [])
  }

  @Test("a group passes its controllers on, unless it lacks one")
  func controllersArePassedOn() throws {
    folder.write("cgroup.controllers", Array("cpuset cpu io memory pids\n".utf8))
    folder.write("cgroup.subtree_control", [])
    try ControlGroupPlace.delegate(folder.path)
    #expect(text("cgroup.subtree_control") == "+cpu +memory +pids")
    folder.write("cgroup.subtree_control", Array("cpu memory pids\n".utf8))
    try ControlGroupPlace.delegate(folder.path)
    #expect(text("cgroup.subtree_control") == "cpu memory pids\n")
    folder.write("cgroup.controllers", Array("cpu memory\n".utf8))
    let error = #expect(throws: IsolationRefusal.self) {
      try ControlGroupPlace.delegate(folder.path)
    }
    #expect(error?.description.contains("no controller pids") == true)
  }

  @Test("the view hides what lies beneath what jobs see")
  func theViewKnowsWhatItShows() {
    let view = SandboxView(
      roots: [("usr", .folder), ("bin", .link("usr/bin"))],
      etc: ["alternatives"],
      settings: ["sys"]
    )
    #expect(view.shows("/usr") && view.shows("/usr/local/gateway"))
    #expect(!view.shows("/usrlocal") && !view.shows("/bin/data") && !view.shows("/var/lib/gateway"))
    let order = SandboxOrder(
      command: ["a"],
      environment: [("NAME", "value")],
      work: "/w",
      temporary: "/t",
      users: "/u",
      devices: GPUFacts.devices([1]),
      limits: .init(memoryBytes: 8 << 20, millicores: 1, processes: 1),
      fileBytes: 1
    )
    let options = order.options(view, filter: 3, status: 4)
    for needed in [
      "--unshare-user", "--unshare-net", "--unshare-pid", "--unshare-ipc", "--new-session",
      "--die-with-parent",
    ] { #expect(options.contains(needed)) }
    // Writable are the job's two folders, nothing else of the machine.
    let binds = options.indices.filter { options[$0] == "--bind" }.map { options[$0 + 1] }
    #expect(binds == ["/t", "/w"])
    let devices = options.indices.filter { options[$0] == "--dev-bind" }.map { options[$0 + 1] }
    #expect(devices == ["/dev/nvidiactl", "/dev/nvidia-uvm", "/dev/nvidia1"])
    let reads = options.indices.filter { options[$0] == "--ro-bind" }.map { options[$0 + 1] }
    #expect(reads == ["/usr", "/etc/alternatives", "/u/passwd", "/u/group", "/proc/sys"])
  }
}
