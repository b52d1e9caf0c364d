package import GatewayPlugin

/// What a job needs of a node.
package struct Requirements: Sendable, Equatable {
  /// Thousandths of a core.
  package var cpuMillicores = 1000
  package var memoryMegabytes = 512
  package var diskMegabytes = 256
  package var gpuCount = 0
  /// The job is ended after so many seconds of running.
  package var maxDurationSeconds = 300
  /// Texts of `NodeReport.capabilities`, all of which a node must have.
  package var capabilities: [String] = []

  package init() {}

  /// Reads the members of an object; every one has a default.
  ///
  /// - Parameter fields: Of `requirements`; errors are noted there.
  package init(_ fields: inout Fields) {
    let cores = fields.number("cpu_cores", 0.1...1024, default: 1)
    cpuMillicores = Int((cores * 1000).rounded(.up))
    memoryMegabytes = fields.integer("memory_mb", 16...16_777_216, default: memoryMegabytes)
    diskMegabytes = fields.integer("disk_mb", 1...16_777_216, default: diskMegabytes)
    gpuCount = fields.integer("gpu_count", 0...64, default: 0)
    maxDurationSeconds = fields.integer("max_duration_s", 1...604_800, default: maxDurationSeconds)
    capabilities = fields.strings("capabilities", 0...32, length: 1...128)
  }

  /// As the reading constructor takes it.
  package var json: JSON {
    [
      "cpu_cores": .number(Double(cpuMillicores) / 1000),
      "memory_mb": .integer(Int64(memoryMegabytes)),
      "disk_mb": .integer(Int64(diskMegabytes)),
      "gpu_count": .integer(Int64(gpuCount)),
      "max_duration_s": .integer(Int64(maxDurationSeconds)),
      "capabilities": .array(capabilities.map { .string($0) }),
    ]
  }
}
