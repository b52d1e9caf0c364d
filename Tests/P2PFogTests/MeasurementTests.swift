import Testing

@testable import P2PFog

@Suite("Measurement")
struct MeasurementTests {
  @Test(
    "cores are those that the process may run on",
    arguments: [
      ("Name:\tx\nCpus_allowed_list:\t0-3\nx", 4), ("Cpus_allowed_list:\t0", 1),
      ("Cpus_allowed_list:\t0-1,4,6-7", 5),
    ]
  )
  func coresAreRead(text: String, count: Int) {
    #expect(ProcessorFacts.cores(status: text) == count)
  }

  @Test(
    "a status without a list, or with a broken one, says nothing",
    arguments: [
      "", "Cpus_allowed_list:\t", "Cpus_allowed_list:\tx", "Cpus_allowed_list:\t3-1",
      "Cpus_allowed_list:\t0-99999999",
    ]
  )
  func brokenListsSayNothing(text: String) {
    #expect(ProcessorFacts.cores(status: text) == nil)
  }

  @Test("a quota is a share of cores, and may be absent")
  func quotasAreRead() {
    #expect(ProcessorFacts.millicores(quota: "150000 100000\n") == 1500)
    #expect(ProcessorFacts.millicores(quota: "max 100000\n") == nil)
    #expect(ProcessorFacts.millicores(quota: "") == nil)
    #expect(ProcessorFacts.millicores(quota: 50_000, period: 100_000) == 500)
    #expect(ProcessorFacts.millicores(quota: -1, period: 100_000) == nil)
  }

  @Test("the load is the share of ticks that were not idle between two looks")
  func theLoadIsRead() throws {
    let first = try #require(
      ProcessorFacts.times(stat: "cpu  100 0 50 800 50 0 0 0 9 9\ncpu0 1 1 1 1")
    )
    #expect(first == ProcessorFacts.Times(busy: 150, total: 1000))
    let second = try #require(ProcessorFacts.times(stat: "cpu  160 10 60 860 60 0 0 0 0 0\n"))
    #expect(ProcessorFacts.load(from: first, to: second) == 80.0 / 150.0)
    #expect(ProcessorFacts.load(from: second, to: second) == 0)
    #expect(ProcessorFacts.times(stat: "cpu0 1 2 3 4") == nil)
    #expect(ProcessorFacts.times(stat: "cpu  1 2 x 4") == nil)
    #expect(ProcessorFacts.times(stat: "") == nil)
  }

  @Test("memory is the machine's, or what its control group leaves of it")
  func memoryIsRead() throws {
    let text = "MemTotal:       16384000 kB\nMemFree: 1 kB\nMemAvailable:    8192000 kB\n"
    let machine = try #require(MemoryFacts.amount(meminfo: text))
    #expect(machine.total == 16_384_000 << 10 && machine.available == 8_192_000 << 10)
    #expect(MemoryFacts.amount(meminfo: "MemTotal: 5 MB\nMemAvailable: 1 kB") == nil)
    #expect(machine.within(limit: nil, used: 5) == machine)
    #expect(machine.within(limit: 1000, used: 400) == .init(total: 1000, available: 600))
    #expect(machine.within(limit: 1000, used: 4000).available == 0)
    #expect(MemoryFacts.limit("max\n") == nil && MemoryFacts.limit("4096\n") == 4096)
    #expect(MemoryFacts.limit("9223372036854771712\n") == nil)
  }

  @Test("GPUs have the names that their tool gives")
  func namesAreRead() {
    #expect(
      GPUFacts.names("NVIDIA A100-SXM4-40GB\nNVIDIA T4\n\n") == [
        "NVIDIA A100-SXM4-40GB", "NVIDIA T4",
      ]
    )
    #expect(GPUFacts.names("") == [])
    #expect(GPUFacts.names(String(repeating: "x", count: 500)).first?.count == 128)
    #expect(GPUFacts.names(String(repeating: "x\n", count: 100)).count == 64)
  }

  @Test("the group of version 1 is found beneath each controller's mount")
  func groupsOfVersion1AreFound() throws {
    let groups = """
      9:name=systemd:/
      8:pids:/a
      4:memory:/some/group
      2:cpu,cpuacct:/
      0::/
      """
    let mounts = """
      32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw,relatime - cgroup cgroup rw,cpu,cpuacct
      35 31 0:32 / /sys/fs/cgroup/memory rw,relatime - cgroup cgroup rw,memory
      39 31 0:36 /a /sys/fs/cgroup/pids rw shared:9 - cgroup cgroup rw,pids
      41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
      """
    let place = try ControlGroupPlace(groups: groups, mounts: mounts)
    #expect(
      place.trees
        == .separate(
          memory: "/sys/fs/cgroup/memory/some/group",
          processes: "/sys/fs/cgroup/pids",
          time: "/sys/fs/cgroup/cpu,cpuacct",
          accounting: "/sys/fs/cgroup/cpu,cpuacct"
        )
    )
    let error = #expect(throws: IsolationRefusal.self) {
      try ControlGroupPlace(groups: groups.replacing("pids", with: "x"), mounts: mounts)
    }
    #expect(error?.description.contains("pids") == true)
  }

  @Test("the group of version 2 is the gateway's own, above the leaf that it moved into")
  func groupsOfVersion2AreFound() throws {
    let mounts = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup rw\n"
    let place = try ControlGroupPlace(groups: "0::/system.slice/gateway.service\n", mounts: mounts)
    #expect(place.trees == .unified("/sys/fs/cgroup/system.slice/gateway.service"))
    let moved = try ControlGroupPlace(
      groups: "0::/system.slice/gateway.service/gateway-host\n",
      mounts: mounts
    )
    #expect(moved == place)
    let inContainer = try ControlGroupPlace(
      groups: "0::/docker/abc/x\n",
      mounts: "30 23 0:26 /docker/abc /sys/fs/cgroup rw - cgroup2 cgroup rw\n"
    )
    #expect(inContainer.trees == .unified("/sys/fs/cgroup/x"))
    #expect(throws: IsolationRefusal.self) { try ControlGroupPlace(groups: "", mounts: "") }
    #expect(throws: IsolationRefusal.self) {
      try ControlGroupPlace(groups: "0::/x", mounts: "garbage - cgroup2\n")
    }
  }

  @Test("this machine is measured")
  func thisMachineIsMeasured() {
    let folder = WorkerFolder()
    let found = Meter(directory: folder.path).look()
    #expect(found.millicores >= 100 && found.memoryMegabytes > 64 && found.diskMegabytes > 64)
    #expect(found.memoryFreeMegabytes <= found.memoryMegabytes)
    #expect(found.diskFreeMegabytes <= found.diskMegabytes && !found.hostname.isEmpty)
  }

  @Test("a tool is bounded in time and output, and its failure says nothing")
  func toolsAreBounded() {
    #expect(BoundedCommand.output(of: "/bin/sh", ["-c", "echo a; echo b"]) == "a\nb\n")
    #expect(BoundedCommand.output(of: "/bin/sh", ["-c", "echo a; exit 1"]) == nil)
    #expect(BoundedCommand.output(of: "/bin/sh", ["-c", "sleep 60"], seconds: 1) == nil)
    #expect(BoundedCommand.output(of: "/bin/sh", ["-c", "yes"], bytes: 1000) == nil)
    #expect(BoundedCommand.output(of: "/no/such/tool", []) == nil)
  }
}
