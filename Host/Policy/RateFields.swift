/// The response header fields that tell a caller where it stands.
///
/// `X-RateLimit-*` for clients of the original, and `RateLimit`, `RateLimit-Policy` of
/// draft-ietf-httpapi-ratelimit-headers-10, structured fields of RFC 9651.
package enum RateFields {
  /// Appends whole field lines, each with its CRLF.
  ///
  /// - Parameters:
  ///   - decision: What became of the request.
  ///   - tier: The tier the decision was made with.
  ///   - unixTime: Seconds since 1970, for the reset time.
  ///   - output: A response head after its status line.
  package static func append(
    _ decision: RateDecision,
    _ tier: RateTier,
    unixTime: Int64,
    to output: inout [UInt8]
  ) {
    guard let window = decision.window else {
      output.append(contentsOf: tier.tierField)
      return
    }
    output.append(contentsOf: window == .minute ? tier.minuteFields : tier.hourFields)
    append(decision.remaining, to: &output)
    output.append(contentsOf: resetName)
    append(Int(unixTime) + decision.resetSeconds, to: &output)
    output.append(contentsOf: window == .minute ? minuteName : hourName)
    append(decision.remaining, to: &output)
    output.append(contentsOf: resetParameter)
    append(decision.resetSeconds, to: &output)
    if !decision.isAllowed {
      output.append(contentsOf: retryName)  // RFC 9110 section 10.2.3
      append(decision.resetSeconds, to: &output)
    }
    output.append(contentsOf: lineEnd)
  }

  private static let resetName = Array("\r\nX-RateLimit-Reset: ".utf8)
  private static let minuteName = Array("\r\nRateLimit: \"minute\";r=".utf8)
  private static let hourName = Array("\r\nRateLimit: \"hour\";r=".utf8)
  private static let resetParameter = Array(";t=".utf8)
  private static let retryName = Array("\r\nRetry-After: ".utf8)
  private static let lineEnd = Array("\r\n".utf8)

  /// Appends a number that is not negative, in decimal.
  private static func append(_ number: Int, to output: inout [UInt8]) {
    var rest = UInt(number)
    var digits = InlineArray<20, UInt8>(repeating: 0)
    var first = 20
    repeat {
      first -= 1
      digits[first] = 0x30 + UInt8(truncatingIfNeeded: rest % 10)
      rest /= 10
    } while rest > 0
    while first < 20 {
      output.append(digits[first])
      first += 1
    }
  }
}
