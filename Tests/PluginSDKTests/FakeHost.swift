import CGatewayPlugin
import GatewayPlugin
import Synchronization
import Wire

/// A host that implements every table of the contract and writes down what it is asked.
///
/// Its context is the address of itself, so that the functions, which capture nothing, find it. One
/// test uses one host from a few threads; what they share is under one lock.
final class FakeHost: @unchecked Sendable {
  struct Record: @unchecked Sendable {
    var sentence = ""
    var logLines: [String] = []
    var routes: [FakeRoute] = []
    var answers: [FakeAnswer] = []
    var settled: Set<UInt64> = []
    var completions: [(operation: UInt64, status: Int32, result: String)] = []
    var reports: [(state: Int32, detail: String)] = []
    var checks: [FakeCallback<gw_check_fn>] = []
    var topics: [String] = []
    var published: [String] = []
    var subscriptions: [FakeCallback<gw_event_fn>] = []
    var served: [FakeCallback<gw_serve_fn>] = []
    var calls: [FakeCallback<gw_called_fn>] = []
    var jobs: [FakeCallback<gw_job_fn>] = []
    var periodic: [FakeCallback<gw_job_fn>] = []
    var stopped: Set<UInt64> = []
    var metrics: [String] = []
    var recorded: [String] = []
    var chunks: [[UInt8]] = []
  }

  let record = Mutex(Record())
  let missing: Set<String>
  /// What the next calls of a function give instead of success, by its name.
  let refusals: [String: gw_status]
  /// Runs inside `write`, after the bytes were taken and before it returns.
  let onWrite = Mutex<(@Sendable () -> Void)?>(nil)
  let tables = FakeTables()
  private(set) var host = gw_host_v1(
    struct_size: UInt32(MemoryLayout<gw_host_v1>.size),
    abi_major: 1,
    abi_minor: 0,
    generation: 1,
    context: gw_context(v: 0),
    interface: { FakeHost.from($0).table(String(cString: $1)) }
  )

  init(missing: Set<String> = [], refusals: [String: gw_status] = [:]) {
    self.missing = missing
    self.refusals = refusals
    host.context.v = UInt64(UInt(bitPattern: Unmanaged.passUnretained(self).toOpaque()))
  }

  static func from(_ context: gw_context) -> FakeHost {
    guard let pointer = UnsafeRawPointer(bitPattern: UInt(context.v)) else {
      preconditionFailure("a table was called without its context")
    }
    return Unmanaged<FakeHost>.fromOpaque(pointer).takeUnretainedValue()
  }

  func refusal(_ function: String) -> gw_status { refusals[function] ?? GW_OK }

  private func table(_ id: String) -> UnsafeRawPointer? {
    missing.contains(id) ? nil : tables[id]
  }

  var answers: [FakeAnswer] { record.withLock { $0.answers } }
  var sentence: String { record.withLock { $0.sentence } }
  var logLines: [String] { record.withLock { $0.logLines } }
}

/// A function and what it is called with.
struct FakeCallback<Function>: @unchecked Sendable {
  let name: String
  let function: Function
  let user: UnsafeMutableRawPointer?
  var detail = ""
}

/// A route as it was added.
struct FakeRoute: @unchecked Sendable {
  let method: String
  let pattern: String
  let scope: String
  let flags: UInt32
  let maxBody: UInt64
  let timeout: UInt64
  let operation: String
  let user: UnsafeMutableRawPointer?
  let handler: gw_http_handler_v1
}

/// An answer as it arrived.
struct FakeAnswer: Equatable {
  let kind: String
  let request: UInt64
  let status: UInt16
  var code = ""
  var message = ""
  var body = ""
  var fields: [String] = []
}

extension gw_bytes {
  var text: String {
    String(decoding: UnsafeBufferPointer(start: start, count: count), as: UTF8.self)
  }
}

func texts(_ fields: UnsafePointer<gw_field>?, _ count: Int) -> [String] {
  UnsafeBufferPointer(start: fields, count: count).map { "\($0.name.text): \($0.value.text)" }
}

func texts(_ values: UnsafePointer<gw_bytes>?, _ count: Int) -> [String] {
  UnsafeBufferPointer(start: values, count: count).map(\.text)
}
