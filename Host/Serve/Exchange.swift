import Wire

/// One request and its single answer, from the head to the last byte sent.
///
/// Belongs to one loop, which reuses it for later requests.
@safe final class Exchange {
  /// The id under which log, answer and trace know the request.
  var requestID: [UInt8] = []
  /// 32 hex digits (W3C Trace Context).
  var traceID: [UInt8] = []
  var method: [UInt8] = []
  var path: [UInt8] = []
  /// Header lines that every answer to this request carries: rate limit and CORS.
  var lines: [UInt8] = []
  var isHead = false
  /// Whether the connection goes on after the answer.
  var keepAlive = true
  var isHTTP10 = false
  /// Whether the client waits for 100 Continue before it sends the body.
  var awaitsContinue = false
  var acceptsGzip = false
  var prefersProblem = false
  /// Whether the request comes from a page that may read the answer.
  var isFromKnownPage = false
  /// The caller's subject; empty without identity.
  var subject: [UInt8] = []
  /// Nanoseconds of the monotonic clock when the head was complete.
  var began: Int64 = 0

  // What the answer became, for the access log.
  var status: UInt16 = 0
  var bodyBytes = 0

  // MARK: - At a plugin

  /// The route whose plugin answers; `nil` while the host answers itself.
  var route: PluginRoute?
  /// The generation whose code was called for it, also when that is over.
  var answeredBy: PluginInstance?
  /// What the plugin knows the request by; 0 when there is no gate.
  var handle: UInt64 = 0
  var call: (any RequestSteps)?
  /// The plugin's own state of an inline request.
  var inlineState: UnsafeMutableRawPointer?
  var connection: HTTPConnection?
  var answer = AnswerStage.none
  /// Streamed bytes handed to the connection that the client has not taken.
  var unsent = 0
  /// When the host answers 504, nanoseconds of the monotonic clock.
  var deadline = Int64.max
  /// Whether a streamed answer is sent in chunks.
  var isChunked = false

  /// How far the answer is.
  enum AnswerStage {
    case none
    /// Whole, but its body is being compressed.
    case compressing
    case streaming
    case complete
  }

  /// Makes the object as new, keeping its buffers.
  func reset() {
    Self.empty(&requestID)
    Self.empty(&traceID)
    Self.empty(&method)
    Self.empty(&path)
    Self.empty(&lines)
    Self.empty(&subject)
    isHead = false
    keepAlive = true
    isHTTP10 = false
    awaitsContinue = false
    acceptsGzip = false
    prefersProblem = false
    isFromKnownPage = false
    status = 0
    bodyBytes = 0
    route = nil
    answeredBy = nil
    handle = 0
    call = nil
    unsafe inlineState = nil
    connection = nil
    answer = .none
    unsent = 0
    deadline = .max
    isChunked = false
  }

  private static func empty(_ bytes: inout [UInt8]) {
    if !bytes.isEmpty { bytes.removeAll(keepingCapacity: true) }
  }
}
