package import CGatewayPlugin

/// Where a plugin's answers go.
///
/// The HTTP interface has checked the arguments before it calls one of these: statuses are in range, field names
/// are tokens, values carry no control characters, and none of them is a framing field. `owner` is the context that
/// the plugin passed; an answer to a request of another plugin gets `GW_E_GONE`. Every function may be called from
/// any thread. Spans are borrowed for the call; a buffer's `release` is from here on the sink's to call, once, also
/// when it returns an error.
package protocol AnswerSink: AnyObject, Sendable {
  /// A success in the gateway's envelope.
  func reply(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    message: gw_bytes,
    data: gw_bytes,
    fields: UnsafeBufferPointer<gw_field>
  ) -> gw_status

  /// An error in the gateway's envelope, or as problem+json.
  func fail(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    code: gw_bytes,
    message: gw_bytes,
    details: gw_bytes,
    fields: UnsafeBufferPointer<gw_field>
  ) -> gw_status

  /// Any other whole answer.
  func respond(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    fields: UnsafeBufferPointer<gw_field>,
    body: gw_buffer
  ) -> gw_status

  /// Begins a streamed answer; `length` is `UINT64_MAX` when it is not known.
  func start(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    fields: UnsafeBufferPointer<gw_field>,
    length: UInt64
  ) -> gw_status

  /// The next bytes of a streamed answer.
  func write(_ request: UInt64, owner: UInt64, bytes: gw_buffer) -> gw_status

  /// Ends a streamed answer.
  func finish(_ request: UInt64, owner: UInt64) -> gw_status

  /// Gives an answer up; `reason` goes to the log.
  func abort(_ request: UInt64, owner: UInt64, reason: String) -> gw_status

  /// Calls `use` with the request id of a live request, for log lines about it, or with `nil` when it has ended.
  ///
  /// On the request's own loop at once, from any other thread later, on that loop.
  func withRequestID(of request: UInt64, _ use: @escaping @Sendable (String?) -> Void)
}
