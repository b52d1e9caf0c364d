import CLinux
import Wire

/// Renders answers of one loop into bytes.
///
/// Everything that does not change within a second (date, security fields, time stamp) is rendered
/// once a second.
struct ResponseWriter {
  /// A body too large to compress on the loop, with what else its answer is made of.
  struct Uncompressed: Sendable {
    let status: UInt16
    let type: StaticString
    let fields: RenderedFields
    let body: [UInt8]
  }

  /// What has been rendered and not been taken.
  var out: [UInt8] = []
  /// An answer that was not rendered because its body is to be compressed elsewhere first.
  var uncompressed: Uncompressed?
  /// Whether `uncompressed` may be used; whoever sets it looks there.
  var mayLeaveUncompressed = false
  private var body: [UInt8] = []
  /// The fields of every answer.
  private var common: [UInt8] = []
  /// The start of the usual answer, 200 with JSON, up to the request id.
  private var usual: [UInt8] = []
  private var stamp: [UInt8] = []
  private var nextSecond = Int64.min
  /// Seconds since 1970, as of the last `refresh`.
  private(set) var unixTime: Int64 = 0
  private let corsVaries: Bool
  /// Made when the first body is worth it.
  private lazy var gzip = Gzip()

  private static let security = """
    X-Content-Type-Options: nosniff\r
    X-Frame-Options: DENY\r
    Referrer-Policy: no-referrer\r

    """
  static let json: StaticString = "application/json"
  private static let policy: StaticString =
    "Content-Security-Policy: default-src 'none'; frame-ancestors 'none'\r\n"
  /// Bodies up to this size are compressed on the loop; larger ones would keep it for too long.
  static let inlineGzipBytes = 32 * 1024

  /// - Parameter corsVaries: Whether answers differ by `Origin`.
  init(corsVaries: Bool) {
    self.corsVaries = corsVaries
    out.reserveCapacity(16 * 1024)
    body.reserveCapacity(4 * 1024)
  }

  /// Renders date and time stamp anew when `now`, of the monotonic clock, is in a later second.
  mutating func refresh(now: Int64) {
    guard now >= nextSecond else { return }
    let wall = linux_realtime()
    unixTime = wall / 1_000_000_000
    nextSecond = now + 1_000_000_000 - wall % 1_000_000_000
    stamp.removeAll(keepingCapacity: true)
    Timestamp.write(nanoseconds: wall, to: &stamp)
    common.removeAll(keepingCapacity: true)
    common += "Date: ".utf8
    HTTPDate.write(seconds: wall / 1_000_000_000, to: &common)
    common += "\r\n".utf8
    common += Self.security.utf8
    if corsVaries { common += "Vary: Origin\r\n".utf8 }
    usual.removeAll(keepingCapacity: true)
    Self.appendStatus(200, to: &usual)
    usual += common
    Self.append(Self.policy, to: &usual)
    usual += "Content-Type: \(Self.json)\r\nCache-Control: no-store\r\nX-Request-ID: ".utf8
  }

  // MARK: - Whole answers

  /// A success in the envelope.
  mutating func success(
    _ exchange: Exchange,
    status: UInt16,
    message: UnsafeRawBufferPointer,
    data: UnsafeRawBufferPointer,
    fields: borrowing RenderedFields
  ) {
    body.removeAll(keepingCapacity: true)
    Self.append(#"{"success":true,"data":"#, to: &body)
    if unsafe data.isEmpty {
      Self.append("null", to: &body)
    } else {
      unsafe body.append(contentsOf: data)
    }
    Self.append(#","message":"#, to: &body)
    JSON.writeString(utf8: unsafe message.bindMemory(to: UInt8.self).span, to: &body)
    appendEnvelopeEnd(exchange)
    finish(exchange, status: status, type: Self.json, fields: fields, mayCompress: true)
  }

  /// An error in the envelope, or as problem+json (RFC 9457).
  mutating func failure(_ exchange: Exchange, _ failure: borrowing Failure) {
    body.removeAll(keepingCapacity: true)
    let fields = failure.fields
    guard !exchange.prefersProblem else {
      appendProblem(exchange, failure)
      finish(
        exchange,
        status: failure.status,
        type: "application/problem+json",
        fields: fields,
        mayCompress: true
      )
      return
    }
    Self.append(#"{"success":false,"error_code":"#, to: &body)
    JSON.writeString(failure.code, to: &body)
    Self.append(#","message":"#, to: &body)
    JSON.writeString(failure.message, to: &body)
    if !failure.details.isEmpty {
      Self.append(#","details":"#, to: &body)
      body += failure.details
    }
    appendEnvelopeEnd(exchange)
    finish(exchange, status: failure.status, type: Self.json, fields: fields, mayCompress: true)
  }

  /// Any other whole answer of the host's own.
  mutating func plain(
    _ exchange: Exchange,
    status: UInt16,
    type: StaticString,
    _ content: [UInt8],
    fields: borrowing RenderedFields = RenderedFields()
  ) {
    body.removeAll(keepingCapacity: true)
    body += content
    finish(exchange, status: status, type: type, fields: fields, mayCompress: true)
  }

  /// A plugin's own answer; its content type stands in `fields` or is bytes.
  mutating func raw(
    _ exchange: Exchange,
    status: UInt16,
    content: UnsafeRawBufferPointer,
    fields: borrowing RenderedFields
  ) {
    body.removeAll(keepingCapacity: true)
    unsafe body.append(contentsOf: content)
    finish(
      exchange,
      status: status,
      type: "application/octet-stream",
      fields: fields,
      // A part's Content-Range counts the bytes of the plain form (RFC 9110 §14.4).
      mayCompress: fields.isCompressible && !fields.hasEntityTag && status != 206
    )
  }

  private mutating func appendEnvelopeEnd(_ exchange: Exchange) {
    Self.append(#","timestamp":""#, to: &body)
    body += stamp
    Self.append(#"","request_id":""#, to: &body)
    body += exchange.requestID
    Self.append(#""}"#, to: &body)
  }

  private mutating func appendProblem(_ exchange: Exchange, _ failure: borrowing Failure) {
    // RFC 9457 §4.2.1: without a page of its own a problem has the type about:blank.
    Self.append(#"{"type":"about:blank","title":"#, to: &body)
    JSON.writeString("\(reasonPhrase(of: failure.status))", to: &body)
    Self.append(#","status":"#, to: &body)
    ASCII.writeDecimal(UInt64(failure.status), to: &body)
    Self.append(#","detail":"#, to: &body)
    JSON.writeString(failure.message, to: &body)
    Self.append(#","error_code":"#, to: &body)
    JSON.writeString(failure.code, to: &body)
    if !failure.details.isEmpty {
      Self.append(#","details":"#, to: &body)
      body += failure.details
    }
    appendEnvelopeEnd(exchange)
  }

  // MARK: - Heads

  private mutating func finish(
    _ exchange: Exchange,
    status: UInt16,
    type: StaticString,
    fields: borrowing RenderedFields,
    mayCompress: Bool
  ) {
    exchange.status = status
    exchange.bodyBytes = body.count
    var encoded: [UInt8]?
    let isCandidate = mayCompress && exchange.acceptsGzip && !fields.hasContentEncoding
    if isCandidate, mayLeaveUncompressed, body.count > Self.inlineGzipBytes {
      uncompressed = Uncompressed(status: status, type: type, fields: copy fields, body: body)
      return
    }
    if isCandidate, body.count > Gzip.plainBytes, let gzip {
      var compressed: [UInt8] = []
      let isSmaller = unsafe body.withUnsafeBytes { unsafe gzip.compress($0, to: &compressed) }
      if isSmaller { encoded = compressed }
    }
    assemble(
      exchange,
      status: status,
      type: type,
      fields: fields,
      encoded: encoded,
      varies: mayCompress && body.count > Gzip.plainBytes
    )
  }

  /// An answer whose body was compressed elsewhere, or could not be: then `encoded` is `nil`.
  mutating func compressed(_ exchange: Exchange, _ answer: Uncompressed, encoded: [UInt8]?) {
    body.removeAll(keepingCapacity: true)
    body += answer.body
    exchange.status = answer.status
    exchange.bodyBytes = body.count
    assemble(
      exchange,
      status: answer.status,
      type: answer.type,
      fields: answer.fields,
      encoded: encoded,
      varies: true
    )
  }

  private mutating func assemble(
    _ exchange: Exchange,
    status: UInt16,
    type: StaticString,
    fields: borrowing RenderedFields,
    encoded: [UInt8]?,
    varies: Bool
  ) {
    appendStart(exchange, status: status, type: type, fields: fields)
    if varies { Self.append("Vary: Accept-Encoding\r\n", to: &out) }
    if encoded != nil { Self.append("Content-Encoding: gzip\r\n", to: &out) }
    let hasBody = status != 204 && status != 304 && status >= 200
    if hasBody {
      Self.append("Content-Length: ", to: &out)
      ASCII.writeDecimal(UInt64(encoded?.count ?? body.count), to: &out)
      Self.append("\r\n\r\n", to: &out)
      if !exchange.isHead { if let encoded { out += encoded } else { out += body } }
    } else {
      Self.append("\r\n", to: &out)
    }
  }

  /// The head of a streamed answer.
  mutating func streamHead(
    _ exchange: Exchange,
    status: UInt16,
    fields: borrowing RenderedFields,
    length: UInt64
  ) {
    exchange.status = status
    appendStart(exchange, status: status, type: "application/octet-stream", fields: fields)
    if length != .max {
      Self.append("Content-Length: ", to: &out)
      ASCII.writeDecimal(length, to: &out)
      Self.append("\r\n", to: &out)
    } else if exchange.isChunked {
      Self.append("Transfer-Encoding: chunked\r\n", to: &out)
    }
    Self.append("\r\n", to: &out)
  }

  /// Status line and fields, without those that say how the body is framed and encoded.
  private mutating func appendStart(
    _ exchange: Exchange,
    status: UInt16,
    type: StaticString,
    fields: borrowing RenderedFields
  ) {
    if status == 200, unsafe type.utf8Start == Self.json.utf8Start, fields.isEmpty {
      out += usual
    } else {
      Self.appendStatus(status, to: &out)
      out += common
      if !fields.hasSecurityPolicy { Self.append(Self.policy, to: &out) }
      if !fields.hasContentType, status != 204, status != 304 {
        Self.append("Content-Type: ", to: &out)
        Self.append(type, to: &out)
        Self.append("\r\n", to: &out)
      }
      if !fields.hasCacheControl { Self.append("Cache-Control: no-store\r\n", to: &out) }
      out += fields.lines
      Self.append("X-Request-ID: ", to: &out)
    }
    out += exchange.requestID
    Self.append("\r\n", to: &out)
    if !exchange.lines.isEmpty { out += exchange.lines }
    if !exchange.keepAlive {
      Self.append("Connection: close\r\n", to: &out)
    } else if exchange.isHTTP10 {
      Self.append("Connection: keep-alive\r\n", to: &out)
    }
  }

  private static func appendStatus(_ status: UInt16, to output: inout [UInt8]) {
    append("HTTP/1.1 ", to: &output)
    ASCII.writeDecimal(UInt64(status), to: &output)
    output.append(UInt8(ascii: " "))
    append(reasonPhrase(of: status), to: &output)
    append("\r\n", to: &output)
  }

  @inline(__always)
  private static func append(_ text: StaticString, to output: inout [UInt8]) {
    unsafe output.append(
      contentsOf: UnsafeBufferPointer(start: text.utf8Start, count: text.utf8CodeUnitCount)
    )
  }
}
