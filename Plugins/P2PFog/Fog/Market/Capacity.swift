/// An amount of each thing that jobs need: what a node has, what is leased of it, what a job asks for.
package struct Capacity: Sendable, Equatable {
  /// The things, in the order of `values`.
  package static let names = ["cpu_millicores", "memory_mb", "disk_mb", "gpu_count"]

  package var cpuMillicores = 0
  package var memoryMegabytes = 0
  package var diskMegabytes = 0
  package var gpus = 0

  package init() {}

  /// What a job asks for.
  package init(_ requirements: Requirements) {
    cpuMillicores = requirements.cpuMillicores
    memoryMegabytes = requirements.memoryMegabytes
    diskMegabytes = requirements.diskMegabytes
    gpus = requirements.gpuCount
  }

  /// What a node has.
  package init(_ report: NodeReport) {
    cpuMillicores = report.cpuMillicores
    memoryMegabytes = report.memoryMegabytes
    diskMegabytes = report.diskMegabytes
    gpus = report.gpus.count
  }

  /// One number for each of `names`.
  package var values: [Int] { [cpuMillicores, memoryMegabytes, diskMegabytes, gpus] }

  /// The names of what `self` has too little of for `other`.
  package func lacking(_ other: Capacity) -> [String] {
    zip(Self.names, zip(values, other.values)).filter { $1.0 < $1.1 }.map(\.0)
  }

  /// The largest share of `whole` that is in here, over all things (the dominant share of DRF, Ghodsi et al., NSDI 2011).
  ///
  /// What `whole` has none of counts only when something of it is in here, and then as all of it.
  package func dominantShare(of whole: Capacity) -> Double {
    zip(values, whole.values).reduce(0) { largest, pair in
      guard pair.0 > 0 else { return largest }
      return max(largest, pair.1 > 0 ? Double(pair.0) / Double(pair.1) : 1)
    }
  }

  /// Thousandths of a core that all of it is worth.
  ///
  /// A GiB of memory counts as a tenth of a core (the original's cost), one of disk as a hundredth, a GPU as ten cores (from
  /// the original's price lanes: cpu 0.15, gpu 2, storage 0.01 a unit-hour).
  package var coreEquivalent: Int {
    cpuMillicores + memoryMegabytes * 100 / 1024 + diskMegabytes * 10 / 1024 + gpus * 10_000
  }

  package static func + (left: Capacity, right: Capacity) -> Capacity {
    left.merged(right) { $0 + $1 }
  }

  /// Not below 0 in anything.
  package static func - (left: Capacity, right: Capacity) -> Capacity {
    left.merged(right) { max(0, $0 - $1) }
  }

  /// The larger of each.
  package func maximum(_ other: Capacity) -> Capacity { merged(other) { max($0, $1) } }

  private func merged(_ other: Capacity, _ merge: (Int, Int) -> Int) -> Capacity {
    var result = Capacity()
    result.cpuMillicores = merge(cpuMillicores, other.cpuMillicores)
    result.memoryMegabytes = merge(memoryMegabytes, other.memoryMegabytes)
    result.diskMegabytes = merge(diskMegabytes, other.diskMegabytes)
    result.gpus = merge(gpus, other.gpus)
    return result
  }
}
