import CGatewayPlugin
import Wire

/// A request as a plugin sees it, detached from the connection that brought it.
struct RequestImage: RequestSource {
  /// Request line and fields as they came; `head` points into it.
  var bytes: [UInt8]
  var head: RequestView.Head
  /// Decoded path parameters by name.
  var parameters: [(name: String, value: [UInt8])]
  var body: [UInt8]
  var caller: Caller?
  var requestID: [UInt8]
  var traceID: [UInt8]
  var peer: [UInt8]
  /// Nanoseconds of the monotonic clock.
  var deadline: Int64

  /// Calls `body` with the contract's form of the request, valid for that call.
  func withRequest<Result>(
    handle: UInt64,
    _ use: (UnsafePointer<gw_request_v1>) -> Result
  ) -> Result {
    unsafe bytes.withUnsafeBufferPointer { bytes in
      unsafe body.withUnsafeBufferPointer { body in
        unsafe RequestView.withView(
          RequestView.Facts(
            handle: handle,
            bytes: bytes,
            body: body,
            parameters: parameters,
            caller: caller,
            requestID: requestID,
            traceID: traceID,
            peer: peer,
            deadline: deadline
          ),
          head,
          use
        )
      }
    }
  }
}

/// Builds `gw_request_v1` over bytes that stay where they are.
enum RequestView {
  @unsafe struct Facts {
    var handle: UInt64
    var bytes: UnsafeBufferPointer<UInt8>
    var body: UnsafeBufferPointer<UInt8>
    var parameters: [(name: String, value: [UInt8])]
    var caller: Caller?
    var requestID: [UInt8]
    var traceID: [UInt8]
    var peer: [UInt8]
    var deadline: Int64
  }

  /// What a plugin sees of a head: small, where a whole `RequestHead` is costly to copy.
  struct Head: Sendable {
    let method, target, path, query: Range<Int>
    let fields: [RequestHead.FieldLine]
    let bodyLength: UInt64

    init(_ head: borrowing RequestHead) {
      method = head.methodRange
      target = head.targetRange
      path = head.pathRange
      query = head.queryRange ?? 0..<0
      fields = head.fields
      bodyLength =
        switch head.framing {
        case .none: 0
        case .length(let length): length
        case .chunked: .max
        }
    }
  }

  /// Calls `use` with the request; every span in it is valid for that call only.
  static func withView<Result>(
    _ facts: Facts,
    _ head: Head,
    _ use: (UnsafePointer<gw_request_v1>) -> Result
  ) -> Result {
    let base = unsafe facts.bytes
    func span(_ range: Range<Int>) -> gw_bytes {
      guard let start = base.baseAddress else { return unsafe gw_bytes(start: nil, count: 0) }
      return unsafe gw_bytes(start: start + range.lowerBound, count: range.count)
    }
    let fieldCount = head.fields.count
    return unsafe withUnsafeTemporaryAllocation(of: gw_field.self, capacity: fieldCount + 1) {
      fields in
      var used = 0
      for index in 0..<fieldCount {
        let field = head.fields[index]
        switch field.known {
        case .authorization, .xAPIKey, .cookie: continue  // credentials are the host's business
        default:
          unsafe fields.initializeElement(
            at: used,
            to: gw_field(name: span(field.name), value: span(field.value))
          )
          used += 1
        }
      }
      var request = unsafe gw_request_v1()
      unsafe request.handle = gw_request(v: facts.handle)
      unsafe request.method = span(head.method)
      unsafe request.target = span(head.target)
      unsafe request.path = span(head.path)
      unsafe request.query = span(head.query)
      unsafe request.fields = UnsafePointer(fields.baseAddress)
      unsafe request.field_count = used
      unsafe request.body = gw_bytes(start: facts.body.baseAddress, count: facts.body.count)
      unsafe request.body_length = head.bodyLength
      unsafe request.deadline = UInt64(facts.deadline)
      return unsafe withIdentity(facts, &request, use)
    }
  }

  private static func withIdentity<Result>(
    _ facts: Facts,
    _ request: inout gw_request_v1,
    _ use: (UnsafePointer<gw_request_v1>) -> Result
  ) -> Result {
    if let caller = unsafe facts.caller {
      unsafe request.flags = UInt32(GW_REQUEST_AUTHENTICATED)
      if caller.identity.mfaVerified { unsafe request.flags |= UInt32(GW_REQUEST_MFA) }
    }
    let caller = unsafe facts.caller
    return unsafe borrowed(caller?.subject ?? []) { subject in
      unsafe borrowed(caller?.scopes ?? []) { scopes in
        unsafe borrowed(caller?.tier.nameBytes ?? []) { tier in
          unsafe borrowed(facts.requestID) { requestID in
            unsafe borrowed(facts.traceID) { traceID in
              unsafe borrowed(facts.peer) { peer in
                unsafe request.subject = subject
                unsafe request.scopes = scopes
                unsafe request.tier = tier
                unsafe request.request_id = requestID
                unsafe request.trace_id = traceID
                unsafe request.peer = peer
                return unsafe withParameters(facts.parameters, &request, use)
              }
            }
          }
        }
      }
    }
  }

  /// Lays the parameters' bytes out in one buffer, so that their spans share its lifetime.
  private static func withParameters<Result>(
    _ parameters: [(name: String, value: [UInt8])],
    _ request: inout gw_request_v1,
    _ use: (UnsafePointer<gw_request_v1>) -> Result
  ) -> Result {
    guard !parameters.isEmpty else {
      return unsafe withUnsafePointer(to: &request) { unsafe use($0) }
    }
    var bytes: [UInt8] = []
    for (name, value) in parameters { bytes += Array(name.utf8) + value }
    return unsafe bytes.withUnsafeBufferPointer { all in
      guard let base = all.baseAddress else {
        return unsafe withUnsafePointer(to: &request) { unsafe use($0) }
      }
      var fields: [gw_field] = unsafe []
      var offset = 0
      for (name, value) in parameters {
        let count = name.utf8.count
        unsafe fields.append(
          gw_field(
            name: gw_bytes(start: base + offset, count: count),
            value: gw_bytes(start: base + offset + count, count: value.count)
          )
        )
        offset += count + value.count
      }
      return unsafe fields.withUnsafeBufferPointer { list in
        unsafe request.parameters = list.baseAddress
        unsafe request.parameter_count = list.count
        return unsafe withUnsafePointer(to: &request) { unsafe use($0) }
      }
    }
  }

  @inline(__always)
  private static func borrowed<Result>(_ bytes: [UInt8], _ use: (gw_bytes) -> Result) -> Result {
    unsafe bytes.withUnsafeBufferPointer {
      unsafe use(gw_bytes(start: $0.baseAddress, count: $0.count))
    }
  }
}
