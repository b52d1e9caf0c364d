/// Which web pages of other origins may read answers (the CORS protocol of the Fetch standard).
///
/// Deny by default: without a configured origin no CORS field is ever sent.
struct CORSPolicy {
  private let origins: [[UInt8]]

  init(origins: [String]) { self.origins = origins.map { Array($0.utf8) } }

  /// Appends the fields that let `origin` read the answer; nothing when it may not.
  ///
  /// - Returns: Whether it may.
  func appendFields(origin: Span<UInt8>, to lines: inout [UInt8]) -> Bool {
    guard allows(origin) else { return false }
    lines += "Access-Control-Allow-Origin: ".utf8
    for index in origin.indices { lines.append(origin[index]) }
    lines += "\r\nAccess-Control-Allow-Credentials: true\r\n".utf8
    lines += Self.exposed.utf8
    return true
  }

  /// The further fields of the answer to a preflight request.
  static func preflightLines(methods: [String]) -> String {
    "Access-Control-Allow-Methods: \(methods.joined(separator: ", "))\r\n"
      + "Access-Control-Allow-Headers: Accept, Authorization, Content-Type, If-None-Match, Range, "
      + "X-API-Key, X-Request-ID, X-Requested-With\r\nAccess-Control-Max-Age: 600\r\n"
  }

  private static let exposed =
    "Access-Control-Expose-Headers: X-Request-ID, X-RateLimit-Tier, X-RateLimit-Limit, "
    + "X-RateLimit-Remaining, X-RateLimit-Reset, RateLimit, RateLimit-Policy, Retry-After, "
    + "Content-Range, ETag\r\n"

  /// Whether pages of `origin` may read answers and open WebSockets.
  func allows(_ origin: Span<UInt8>) -> Bool {
    for known in origins where known.count == origin.count {
      var isEqual = true
      for index in origin.indices where known[index] != origin[index] { isEqual = false }
      if isEqual { return true }
    }
    return false
  }
}
