import Glibc
import Wire

/// The last crashes, kept in `crashes.jsonl` in the data directory: one JSON object a line, the newest last.
package struct CrashJournal {
  /// Reports that are kept.
  package static let capacity = 100
  private static let maxBytes = 1024 * 1024

  private let path: String
  package private(set) var reports: [CrashReport]

  /// Reads what is there; lines that are none of ours are dropped.
  ///
  /// - Parameter directory: The data directory.
  package init(directory: String) {
    path = "\(directory)/crashes.jsonl"
    let bytes = (try? FileBytes.read(path, limit: Self.maxBytes)) ?? []
    let read = bytes.split(separator: 0x0A).compactMap { line in
      (try? JSON.parse(Array(line))).flatMap { CrashReport($0) }
    }
    reports = Array(read.suffix(Self.capacity))
  }

  /// Adds a report and writes the file.
  ///
  /// - Throws: `SystemError` when it cannot be written; the report is kept in memory.
  package mutating func add(_ report: CrashReport) throws(SystemError) {
    reports.append(report)
    if reports.count > Self.capacity { reports.removeFirst() }
    try write()
  }

  /// Requests are taken again: the last report's outage is over.
  ///
  /// - Parameter now: Nanoseconds since 1970.
  /// - Returns: That report; `nil` when there is none that lacked it.
  /// - Throws: `SystemError` when the file cannot be written.
  package mutating func recovered(now: Int64) throws(SystemError) -> CrashReport? {
    guard var last = reports.last, last.outage == nil else { return nil }
    last.outage = max(now - last.time, 0) / 1_000_000
    reports[reports.count - 1] = last
    try write()
    return last
  }

  /// The crashes of one plugin since `start`, in nanoseconds since 1970.
  package func count(of plugin: String, since start: Int64) -> Int {
    reports.count { $0.code?.plugin == plugin && $0.time >= start }
  }

  /// The crashes of one plugin, the newest last.
  package func reports(of plugin: String) -> [CrashReport] {
    reports.filter { $0.code?.plugin == plugin }
  }

  private func write() throws(SystemError) {
    let staged = "\(path).\(getpid())"
    let raw = unsafe open(staged, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0o600)
    guard raw >= 0 else { throw SystemError(call: "open", code: errno) }
    let file = Descriptor(adopting: raw)
    do throws(SystemError) {
      for report in reports { try Directory.writeAll(file.raw, (report.json.bytes + [0x0A])[...]) }
      guard unsafe rename(staged, path) == 0 else {
        throw SystemError(call: "rename", code: errno)
      }
    } catch {
      _ = unsafe unlink(staged)
      throw error
    }
  }
}
