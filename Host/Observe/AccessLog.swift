import CLinux
import Wire

/// One line for each exchange, gathered on a loop and handed to the writer in batches.
///
/// Belongs to one loop. A batch waits at most `Self.delay`, or until it is large.
package final class AccessLog {
  /// One exchange as the line shows it.
  package struct Entry {
    package var requestID: [UInt8]
    /// Empty when the client began no trace and no plugin was asked.
    package var traceID: [UInt8]
    package var method: [UInt8]
    /// Path without query: a query may carry what does not belong in a log.
    package var path: [UInt8]
    package var status: UInt16
    /// Bytes of the answer's body, before compression.
    package var bodyBytes: Int
    package var nanoseconds: Int64
    package var peer: [UInt8]
    package var subject: [UInt8]
  }

  /// Nanoseconds a line may wait.
  package static let delay: Int64 = 200_000_000
  private static let batchBytes = 32 * 1024

  private let writer: LogWriter
  private let format: Settings.LogFormat
  private var batch: [UInt8] = []
  private var second: Int64 = -1
  private var stamp: [UInt8] = []

  package init(writer: LogWriter, format: Settings.LogFormat) {
    self.writer = writer
    self.format = format
  }

  /// Whether lines wait for `flush`.
  package var isEmpty: Bool { batch.isEmpty }

  package func write(_ entry: borrowing Entry) {
    refreshStamp()
    switch format {
    case .text: writeText(entry)
    case .json: writeJSON(entry)
    }
    batch.append(UInt8(ascii: "\n"))
    if batch.count >= Self.batchBytes { flush() }
  }

  /// Hands the waiting lines to the writer.
  package func flush() {
    guard !batch.isEmpty else { return }
    writer.append(batch)
    batch.removeAll(keepingCapacity: true)
  }

  private func refreshStamp() {
    let now = linux_realtime()
    guard now / 1_000_000_000 != second else { return }
    second = now / 1_000_000_000
    stamp.removeAll(keepingCapacity: true)
    Timestamp.write(nanoseconds: now, to: &stamp)
  }

  private func writeText(_ entry: borrowing Entry) {
    batch += stamp
    batch += " access ".utf8
    // Of bytes that were no request, method and path are not known.
    if entry.method.isEmpty { batch.append(UInt8(ascii: "-")) } else { batch += entry.method }
    batch.append(UInt8(ascii: " "))
    if entry.path.isEmpty { batch.append(UInt8(ascii: "-")) } else { batch += entry.path }
    batch.append(UInt8(ascii: " "))
    ASCII.writeDecimal(UInt64(entry.status), to: &batch)
    batch += " bytes=".utf8
    ASCII.writeDecimal(UInt64(entry.bodyBytes), to: &batch)
    batch += " us=".utf8
    ASCII.writeDecimal(UInt64(entry.nanoseconds / 1000), to: &batch)
    batch += " id=".utf8
    batch += entry.requestID
    if !entry.traceID.isEmpty {
      batch += " trace=".utf8
      batch += entry.traceID
    }
    batch += " peer=".utf8
    batch += entry.peer
    if !entry.subject.isEmpty {
      batch += " subject=".utf8
      JSON.writeString(utf8: entry.subject.span, to: &batch)
    }
  }

  private func writeJSON(_ entry: borrowing Entry) {
    batch += #"{"time":""#.utf8
    batch += stamp
    batch += #"","level":"info","message":"access","method":"#.utf8
    JSON.writeString(utf8: entry.method.span, to: &batch)
    batch += #","path":"#.utf8
    JSON.writeString(utf8: entry.path.span, to: &batch)
    batch += #","status":"#.utf8
    ASCII.writeDecimal(UInt64(entry.status), to: &batch)
    batch += #","bytes":"#.utf8
    ASCII.writeDecimal(UInt64(entry.bodyBytes), to: &batch)
    batch += #","us":"#.utf8
    ASCII.writeDecimal(UInt64(entry.nanoseconds / 1000), to: &batch)
    batch += #","request_id":"#.utf8
    JSON.writeString(utf8: entry.requestID.span, to: &batch)
    if !entry.traceID.isEmpty {
      batch += #","trace_id":"#.utf8
      JSON.writeString(utf8: entry.traceID.span, to: &batch)
    }
    batch += #","peer":"#.utf8
    JSON.writeString(utf8: entry.peer.span, to: &batch)
    if !entry.subject.isEmpty {
      batch += #","subject":"#.utf8
      JSON.writeString(utf8: entry.subject.span, to: &batch)
    }
    batch.append(UInt8(ascii: "}"))
  }
}
