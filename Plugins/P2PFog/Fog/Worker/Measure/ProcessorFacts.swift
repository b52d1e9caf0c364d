/// Cores and their load, from texts of the kernel.
package enum ProcessorFacts {
  /// Cores that a process may run on.
  ///
  /// - Parameter status: Text of `/proc/self/status` (proc(5)), whose `Cpus_allowed_list` is like `0-3,8`.
  /// - Returns: `nil` when it does not say.
  package static func cores(status: String) -> Int? {
    guard let line = line("Cpus_allowed_list:", in: status) else { return nil }
    var count = 0
    for part in line.split(separator: ",") {
      let ends = part.split(separator: "-").map { Int($0.filter { $0 != " " && $0 != "\t" }) }
      guard let first = ends.first ?? nil, let last = ends.last ?? nil, first <= last,
        ends.count <= 2, last < 1 << 20
      else { return nil }
      count += last - first + 1
    }
    return count > 0 ? count : nil
  }

  /// The share of processor time that a group may have.
  ///
  /// - Parameter text: Of `cpu.max` (control groups version 2), like `50000 100000` or `max 100000`.
  /// - Returns: Thousandths of a core; `nil` for no limit.
  package static func millicores(quota text: String) -> Int? {
    let words = text.split { $0 == " " || $0 == "\n" }
    guard words.count == 2, let quota = Int(words[0]), let period = Int(words[1]) else {
      return nil
    }
    return millicores(quota: quota, period: period)
  }

  /// The same of version 1, whose quota is -1 for no limit.
  ///
  /// - Parameters:
  ///   - quota: `cpu.cfs_quota_us`.
  ///   - period: `cpu.cfs_period_us`.
  /// - Returns: Thousandths of a core; `nil` for no limit.
  package static func millicores(quota: Int, period: Int) -> Int? {
    guard quota > 0, period > 0, quota < 1 << 40 else { return nil }
    return quota * 1000 / period
  }

  /// Time that all cores together have worked, and have been there.
  package struct Times: Sendable, Equatable {
    package var busy: Int
    package var total: Int
  }

  /// Reads the times.
  ///
  /// - Parameter text: Of `/proc/stat`, whose first line is like `cpu 1 2 3 4 5 6 7 8 0 0` in ticks (proc(5)).
  /// - Returns: `nil` for another text.
  package static func times(stat text: String) -> Times? {
    guard let line = line("cpu ", in: text) else { return nil }
    // user nice system idle iowait irq softirq steal; guest times are in user and nice already.
    let ticks = line.split(separator: " ").prefix(8).map { Int($0) }
    guard ticks.count >= 4, ticks.allSatisfy({ ($0 ?? -1) >= 0 }) else { return nil }
    let total = ticks.reduce(0) { $0 + ($1 ?? 0) }
    let idle = (ticks[3] ?? 0) + (ticks.count > 4 ? ticks[4] ?? 0 : 0)
    return Times(busy: total - idle, total: total)
  }

  /// The share of the time between two looks in which cores worked, 0 to 1.
  package static func load(from before: Times, to after: Times) -> Double {
    let total = after.total - before.total
    guard total > 0 else { return 0 }
    return min(1, max(0, Double(after.busy - before.busy) / Double(total)))
  }

  static func line(_ beginning: String, in text: String) -> Substring? {
    text.split(separator: "\n").first { $0.hasPrefix(beginning) }?.dropFirst(beginning.count)
  }
}
