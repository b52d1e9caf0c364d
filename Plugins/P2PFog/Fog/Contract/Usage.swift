package import GatewayPlugin

/// What a job has used so far, measured on the node.
package struct Usage: Sendable, Equatable {
  /// Milliseconds of processor time, all threads together.
  package var cpuMilliseconds = 0
  /// Milliseconds since it began to run.
  package var wallMilliseconds = 0
  package var memoryPeakMegabytes = 0
  package var outputBytes = 0

  package init() {}

  /// Reads the members of an object.
  ///
  /// - Parameter fields: Of `usage`; errors are noted there.
  package init(_ fields: inout Fields) {
    cpuMilliseconds = fields.integer("cpu_ms", 0...(1 << 50))
    wallMilliseconds = fields.integer("wall_ms", 0...(1 << 50))
    memoryPeakMegabytes = fields.integer("memory_peak_mb", 0...16_777_216)
    outputBytes = fields.integer("output_bytes", 0...(1 << 40))
  }

  /// As the reading constructor takes it.
  package var json: JSON {
    [
      "cpu_ms": .integer(Int64(cpuMilliseconds)), "wall_ms": .integer(Int64(wallMilliseconds)),
      "memory_peak_mb": .integer(Int64(memoryPeakMegabytes)),
      "output_bytes": .integer(Int64(outputBytes)),
    ]
  }
}
