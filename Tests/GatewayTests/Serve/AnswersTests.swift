import Testing
import Wire

@testable import Gateway

@Suite("Refusals in words")
struct AnswersTests {
  private static let heads: [HeadError] = [
    .malformedRequestLine, .methodTooLong(limit: 1), .connectRefused, .targetByte(7),
    .fragmentInTarget, .unknownTargetForm, .malformedVersion, .unsupportedVersion,
    .requestLineTooLong(limit: 1), .headTooLong(limit: 1), .tooManyFields(limit: 1),
    .bareLineFeed, .bareCarriageReturn, .missingColon, .emptyFieldName, .fieldNameByte(7),
    .spaceBeforeColon, .foldedLine, .fieldValueByte(7), .missingHost, .repeatedHost, .invalidHost,
    .conflictingLengths, .repeatedContentLength, .invalidContentLength,
    .transferEncodingInHTTP10, .repeatedTransferEncoding, .unknownTransferCoding,
    .unknownExpectation,
  ]
  private static let chunks: [ChunkError] = [
    .invalidSize, .sizeTooLarge, .invalidExtension, .extensionsTooLong(limit: 1), .missingLineEnd,
    .invalidTrailer, .trailersTooLong(limit: 1),
  ]
  private static let handshakes: [HandshakeError] = [
    .methodNotGet, .notAnUpgrade, .hasBody, .unsupportedVersion, .invalidKey,
    .tooManyProtocols(limit: 1),
  ]
  private static let authentications: [AuthenticationError] = [
    .missing, .repeated,
    .wrongScheme, .tooLong(limit: 1), .malformed("it has no sub"), .wrongAlgorithm,
    .badSignature, .expired, .notYetValid, .revoked, .wrongIssuer, .wrongAudience, .unknownKey,
    .mfaRequired, .missingScope("read"),
  ]
  private static let others: [Refusal] = [
    .path, .notFound, .methodNotAllowed(["GET", "HEAD"]),
    .rateLimited(tier: "standard", retryAfter: 9), .bodyTooLarge(limit: 10), .headTooSlow,
    .bodyTooSlow(bytesPerSecond: 500), .tooManyConnections, .foreignOrigin, .routeBusy, .poolBusy,
    .pluginFault, .pluginTimeout,
  ]

  static let all: [Refusal] =
    heads.map { .head($0) } + chunks.map { .body($0) } + handshakes.map { .handshake($0) }
    + authentications.map { .authentication($0) } + others

  @Test(arguments: all) func `each has a status of its class, a known code and a sentence`(
    _ refusal: Refusal
  ) {
    let failure = Failure(refusal)
    #expect((400...599).contains(failure.status))
    #expect("\(reasonPhrase(of: failure.status))" != "Status")
    let codes: Set = [
      "AUTHENTICATION_REQUIRED", "INSUFFICIENT_PERMISSIONS", "RESOURCE_NOT_FOUND",
      "METHOD_NOT_ALLOWED", "REQUEST_TIMEOUT", "PAYLOAD_TOO_LARGE", "RATE_LIMIT_EXCEEDED",
      "SERVICE_UNAVAILABLE", "VALIDATION_ERROR", "INTERNAL_ERROR",
    ]
    #expect(codes.contains(failure.code))
    #expect(failure.message.utf8.count >= 20)
    #expect(failure.message.split(separator: " ").count >= 4)
    #expect(failure.details.isEmpty)
  }

  @Test(arguments: all) func `the lines of each are whole header fields`(_ refusal: Refusal) {
    let text = String(decoding: Failure(refusal).lines, as: UTF8.self)
    guard !text.isEmpty else { return }
    #expect(text.hasSuffix("\r\n"))
    for line in text.dropLast().split(separator: "\r\n") { #expect(line.contains(": ")) }
    #expect(!text.contains("\r\n\r\n"))
  }

  @Test func `the numbers that decided are named`() {
    #expect(Failure(.bodyTooLarge(limit: 1_048_576)).message.contains("1048576 bytes"))
    #expect(Failure(.bodyTooSlow(bytesPerSecond: 500)).message.contains("500 bytes a second"))
    #expect(Failure(.rateLimited(tier: "gold", retryAfter: 17)).message.contains("17 s"))
    #expect(Failure(.rateLimited(tier: "gold", retryAfter: 17)).message.contains("gold"))
    #expect(Failure(.head(.headTooLong(limit: 16_384))).message.contains("16384"))
  }

  @Test func `statuses and fields are those of the RFCs`() {
    func lines(_ refusal: Refusal) -> String {
      String(decoding: Failure(refusal).lines, as: UTF8.self)
    }
    // RFC 9110 §15.5.6 and §15.5.2: these must be sent.
    #expect(lines(.methodNotAllowed(["GET", "HEAD"])) == "Allow: GET, HEAD\r\n")
    for error in Self.authentications where error.status == 401 {
      #expect(lines(.authentication(error)).hasPrefix("WWW-Authenticate: Bearer "))
    }
    // §15.5.22, RFC 6455 §4.4.
    #expect(lines(.handshake(.unsupportedVersion)).contains("Sec-WebSocket-Version: 13\r\n"))
    #expect(lines(.handshake(.notAnUpgrade)).contains("Upgrade: websocket\r\n"))
    for refusal in [Refusal.routeBusy, .poolBusy, .tooManyConnections] {
      #expect(Failure(refusal).status == 503)
      #expect(lines(refusal) == "Retry-After: 1\r\n")
    }
    #expect(Failure(.pluginTimeout).status == 504)
    #expect(Failure(.pluginFault).status == 500)
    #expect(Failure(.headTooSlow).status == 408)
    #expect(Failure(.bodyTooLarge(limit: 1)).status == 413)
  }

  @Test(
    arguments: [
      (400, "VALIDATION_ERROR"), (401, "AUTHENTICATION_REQUIRED"),
      (403, "INSUFFICIENT_PERMISSIONS"),
      (404, "RESOURCE_NOT_FOUND"), (405, "METHOD_NOT_ALLOWED"), (408, "REQUEST_TIMEOUT"),
      (409, "CONFLICT"), (413, "PAYLOAD_TOO_LARGE"), (422, "VALIDATION_ERROR"),
      (429, "RATE_LIMIT_EXCEEDED"), (499, "VALIDATION_ERROR"), (500, "INTERNAL_ERROR"),
      (502, "INTERNAL_ERROR"), (503, "SERVICE_UNAVAILABLE"), (504, "SERVICE_UNAVAILABLE"),
      (599, "INTERNAL_ERROR"),
    ] as [(UInt16, String)]
  )
  func `an error without a code gets that of its status`(_ status: UInt16, _ code: String) {
    #expect(Failure.code(for: status) == code)
  }
}
