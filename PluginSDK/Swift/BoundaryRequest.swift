internal import CGatewayPlugin

/// One request, for as long as its handler runs.
///
/// It can be neither copied nor kept, so that nothing of the host's memory is reachable afterwards;
/// what is read from it is a copy. Nothing is read before it is asked for.
@safe public struct Request: ~Copyable {
  let raw: UnsafePointer<gw_request_v1>
  let host: Host
  let state: UnsafeMutablePointer<UnsafeMutableRawPointer?>

  /// `GET`, `HEAD`, ...; a `HEAD` reaches a route of `GET`.
  public var method: String { unsafe raw.pointee.method.string }

  /// Path and query as sent.
  public var target: String { unsafe raw.pointee.target.string }

  /// The path as sent, percent-encoded.
  public var path: String { unsafe raw.pointee.path.string }

  /// The query as sent, percent-encoded, without the `?`.
  public var rawQuery: String { unsafe raw.pointee.query.string }

  /// The value of the pattern's `{name}`, decoded.
  ///
  /// The pattern must have that name: another is a fault of the author and stops the process in
  /// debug builds, else it is empty.
  ///
  /// - Parameter name: Without braces.
  /// - Returns: The value.
  public func parameter(_ name: String) -> String {
    for index in 0..<(unsafe raw.pointee.parameter_count) {
      guard let field = unsafe raw.pointee.parameters?[index] else { break }
      if unsafe name.utf8.elementsEqual(field.name.buffer) { return unsafe field.value.string }
    }
    assertionFailure("the pattern of this route has no {\(name)}")
    return ""
  }

  /// The first value of a header field, its name compared without case.
  ///
  /// Credentials are not there; see `caller`.
  ///
  /// - Parameter name: Like `Content-Type`.
  /// - Returns: The value as sent; `nil` when absent.
  public func field(_ name: String) -> String? {
    for index in 0..<(unsafe raw.pointee.field_count) {
      guard let field = unsafe raw.pointee.fields?[index] else { break }
      if unsafe equalIgnoringCase(field.name.buffer, name.utf8) {
        return unsafe field.value.string
      }
    }
    return nil
  }

  /// All header fields in the order sent, without credentials.
  public var fields: HeaderFields {
    var all = HeaderFields()
    for index in 0..<(unsafe raw.pointee.field_count) {
      guard let field = unsafe raw.pointee.fields?[index] else { break }
      unsafe all.append(field.name.string, field.value.string)
    }
    return all
  }

  /// A copy of the whole body; empty on an upload route.
  public var body: [UInt8] { unsafe raw.pointee.body.array }

  /// Lends the whole body without a copy.
  ///
  /// - Parameter use: Must not keep it.
  /// - Returns: What `use` returns.
  /// - Throws: What `use` throws.
  public func withBody<Result>(_ use: (Span<UInt8>) throws -> Result) rethrows -> Result {
    let buffer = unsafe raw.pointee.body.buffer
    return try unsafe use(buffer.span)
  }

  /// Bytes of the body as announced; `nil` when the client did not say.
  public var announcedLength: UInt64? {
    let length = unsafe raw.pointee.body_length
    return length == .max ? nil : length
  }

  /// Who is calling.
  public var caller: Caller {
    unsafe Caller(
      subject: raw.pointee.subject.string,
      scopes: raw.pointee.scopes.string.split(separator: " ").map { Scope(String($0)) },
      tier: raw.pointee.tier.string,
      isAuthenticated: raw.pointee.flags & GW_REQUEST_AUTHENTICATED != 0,
      hasSecondFactor: raw.pointee.flags & GW_REQUEST_MFA != 0
    )
  }

  /// The id that is in the answer, the log and the trace.
  public var id: String { unsafe raw.pointee.request_id.string }

  /// 32 hex digits of W3C Trace Context.
  public var traceID: String { unsafe raw.pointee.trace_id.string }

  /// The client's address, as text.
  public var peer: String { unsafe raw.pointee.peer.string }

  /// When the host answers 504, by `Host.now`.
  public var deadline: Duration { Duration(nanoseconds: unsafe raw.pointee.deadline) }

  /// Whether nobody wants the answer any more.
  ///
  /// Looked at by a handler that takes long. Always false on an inline route.
  public var isCancelled: Bool {
    guard let state = unsafe state.pointee else { return false }
    return unsafe Unmanaged<Exchange>.fromOpaque(state)._withUnsafeGuaranteedRef(\.isCancelled)
  }

  /// Lines for the operator that carry the request's id.
  public var log: Log { Log(host: host, about: unsafe raw.pointee.handle) }

  /// The right to answer after the handler returned; the handler returns `.later` with it.
  public func later() -> Answer { Answer(exchange: exchange) }

  /// What outlives this call, made when first needed.
  var exchange: Exchange {
    if let state = unsafe state.pointee {
      return unsafe Unmanaged<Exchange>.fromOpaque(state).takeUnretainedValue()
    }
    let exchange = Exchange(host: host, handle: unsafe raw.pointee.handle)
    unsafe state.pointee = Unmanaged.passRetained(exchange).toOpaque()
    return exchange
  }
}

/// Who is calling, as the gateway verified it.
public struct Caller: Sendable, Equatable {
  /// The token's `sub` or the key's user; empty on a route for anyone without credentials.
  public let subject: String

  /// What they may.
  public let scopes: [Scope]

  /// The rate limit tier.
  public let tier: String

  /// Whether the subject is verified.
  public let isAuthenticated: Bool

  /// Whether the token says that a second factor was checked.
  public let hasSecondFactor: Bool

  /// Whether they have `scope`, or `admin`.
  public func may(_ scope: Scope) -> Bool { scopes.contains(scope) || scopes.contains(.admin) }
}
