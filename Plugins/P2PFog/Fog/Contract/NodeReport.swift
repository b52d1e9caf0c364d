package import GatewayPlugin

/// What a node says of itself; every number is measured there when it is made.
package struct NodeReport: Sendable, Equatable {
  /// What people call the node; at most 64 characters.
  package var name = ""
  /// Where it stands, as its operator says; at most 64 characters, may be empty.
  package var region = ""
  /// The account that earns; empty for `fog:NODEID`.
  package var account = ""

  /// Cores it lends, in thousandths (the machine's, or what its cgroup leaves of them, or its operator).
  package var cpuMillicores = 0
  package var memoryMegabytes = 0
  package var diskMegabytes = 0
  /// Names of its GPUs, as a tool on the node gave them.
  package var gpus: [String] = []

  /// Jobs that it takes at once, those of other coordinators among them.
  package var maxJobs = 512

  /// Load of the processors over the last interval, 0 to 1.
  package var cpuLoad = 0.0
  package var memoryFreeMegabytes = 0
  package var diskFreeMegabytes = 0

  /// `train`, `inference`, `process`, `gpu`, `region:…`, `model:MODEL_ID` for each model it can answer with, and
  /// `input:SHA256` for inputs it still has.
  package var capabilities: [String] = []
  /// Why `process` is not among them; empty when it is.
  package var isolationRefusal = ""
  /// It finishes what it has and takes nothing new.
  package var isDraining = false
  /// What it asks of the market's price, in percent, 1 to 100; less makes it the cheaper choice.
  package var pricePercent = 100

  package init() {}

  /// Reads a report of a peer; nothing in it is trusted further than its bounds.
  ///
  /// - Parameter fields: Of the report; errors are noted there.
  package init(_ fields: inout Fields) {
    name = fields.string("name", 0...64, default: "")
    region = fields.string("region", 0...64, default: "")
    account = fields.string("account", 0...128, default: "")
    cpuMillicores = fields.integer("cpu_millicores", 0...1_024_000)
    memoryMegabytes = fields.integer("memory_mb", 0...16_777_216)
    diskMegabytes = fields.integer("disk_mb", 0...1_073_741_824)
    gpus = fields.strings("gpus", 0...64, length: 1...128)
    maxJobs = fields.integer("max_jobs", 0...65_536, default: maxJobs)
    cpuLoad = fields.number("cpu_load", 0...1)
    memoryFreeMegabytes = fields.integer("memory_free_mb", 0...16_777_216)
    diskFreeMegabytes = fields.integer("disk_free_mb", 0...1_073_741_824)
    capabilities = fields.strings("capabilities", 0...256, length: 1...128)
    isolationRefusal = fields.string("isolation_refusal", 0...512, default: "")
    isDraining = fields.bool("draining", default: false)
    pricePercent = fields.integer("price_percent", 1...100, default: 100)
  }

  /// As the reading constructor takes it.
  package var json: JSON {
    [
      "name": .string(name), "region": .string(region), "account": .string(account),
      "cpu_millicores": .integer(Int64(cpuMillicores)),
      "memory_mb": .integer(Int64(memoryMegabytes)),
      "disk_mb": .integer(Int64(diskMegabytes)),
      "gpus": .array(gpus.map { .string($0) }),
      "max_jobs": .integer(Int64(maxJobs)),
      "cpu_load": .number(cpuLoad),
      "memory_free_mb": .integer(Int64(memoryFreeMegabytes)),
      "disk_free_mb": .integer(Int64(diskFreeMegabytes)),
      "capabilities": .array(capabilities.map { .string($0) }),
      "isolation_refusal": .string(isolationRefusal),
      "draining": .bool(isDraining), "price_percent": .integer(Int64(pricePercent)),
    ]
  }
}
