internal import CGatewayPlugin

extension gw_bytes {
  var string: String { unsafe String(decoding: buffer, as: UTF8.self) }

  var array: [UInt8] { unsafe Array(buffer) }

  var buffer: UnsafeBufferPointer<UInt8> {
    unsafe UnsafeBufferPointer(start: start, count: start == nil ? 0 : count)
  }

  static var none: gw_bytes { unsafe gw_bytes(start: nil, count: 0) }
}

/// Lends the UTF-8 of `text` for one call.
func lend<Result>(_ text: String, _ body: (gw_bytes) -> Result) -> Result {
  var text = text
  return text.withUTF8 { utf8 in
    unsafe body(gw_bytes(start: utf8.baseAddress, count: utf8.count))
  }
}

/// Lends `bytes` for one call.
func lend<Result>(_ bytes: [UInt8], _ body: (gw_bytes) -> Result) -> Result {
  unsafe bytes.withUnsafeBufferPointer { buffer in
    unsafe body(gw_bytes(start: buffer.baseAddress, count: buffer.count))
  }
}

/// Lends the written form of `json` for one call.
func lend<Result>(_ json: JSON, _ body: (gw_bytes) -> Result) -> Result {
  var bytes: [UInt8] = []
  bytes.reserveCapacity(512)
  json.write(to: &bytes)
  return unsafe lend(bytes, body)
}

/// Lends names and values for one call.
func lend<Result>(
  _ fields: HeaderFields,
  _ body: (UnsafePointer<gw_field>?, Int) -> Result
) -> Result {
  if fields.all.isEmpty { return body(nil, 0) }
  var text: [UInt8] = []
  for field in fields.all {
    text.append(contentsOf: field.name.utf8)
    text.append(contentsOf: field.value.utf8)
  }
  return unsafe text.withUnsafeBufferPointer { buffer in
    var start = buffer.baseAddress
    func next(_ count: Int) -> gw_bytes {
      defer { unsafe start = start?.advanced(by: count) }
      return unsafe gw_bytes(start: start, count: count)
    }
    let packed = unsafe fields.all.map { field in
      let name = unsafe next(field.name.utf8.count)
      return unsafe gw_field(name: name, value: next(field.value.utf8.count))
    }
    return unsafe packed.withUnsafeBufferPointer {
      unsafe body($0.baseAddress, $0.count)
    }
  }
}

/// Lends several texts for one call.
func lend<Result>(
  _ texts: [String],
  _ body: (UnsafePointer<gw_bytes>?, Int) -> Result
) -> Result {
  if texts.isEmpty { return body(nil, 0) }
  let joined = texts.flatMap(\.utf8)
  return unsafe joined.withUnsafeBufferPointer { buffer in
    var start = buffer.baseAddress
    let packed = unsafe texts.map { text in
      let count = text.utf8.count
      defer { unsafe start = start?.advanced(by: count) }
      return unsafe gw_bytes(start: start, count: count)
    }
    return unsafe packed.withUnsafeBufferPointer {
      unsafe body($0.baseAddress, $0.count)
    }
  }
}

extension HostRefusal {
  /// Throws what `status` says, unless it is success.
  static func check(_ status: gw_status, _ interface: String) throws(HostRefusal) {
    switch status {
    case 0...: return
    case GW_E_ARGUMENT: throw .argument
    case GW_E_STATE: throw .state
    case GW_E_GONE: throw .gone
    case GW_E_DENIED: throw .denied
    case GW_E_UNSUPPORTED: throw .unsupported(interface)
    case GW_E_LIMIT: throw .limit
    case GW_E_TIMEOUT: throw .timeout
    case GW_E_BUSY: throw .busy
    case GW_E_NOT_FOUND: throw .notFound
    default: throw .failed(status)
    }
  }
}

extension Duration {
  /// Whole milliseconds, rounded up so that a short wait does not become none.
  var milliseconds: UInt64 {
    let parts = components
    if parts.seconds < 0 { return 0 }
    let whole = UInt64(parts.seconds).multipliedReportingOverflow(by: 1000)
    if whole.overflow { return .max }
    let part = UInt64(max(0, (parts.attoseconds + 999_999_999_999_999) / 1_000_000_000_000_000))
    let sum = whole.partialValue.addingReportingOverflow(part)
    return sum.overflow ? .max : sum.partialValue
  }

  init(nanoseconds: UInt64) {
    self.init(
      secondsComponent: Int64(nanoseconds / 1_000_000_000),
      attosecondsComponent: Int64(nanoseconds % 1_000_000_000) * 1_000_000_000
    )
  }
}
