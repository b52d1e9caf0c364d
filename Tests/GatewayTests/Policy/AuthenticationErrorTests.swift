import Testing

@testable import Gateway

@Suite("Refused credentials, RFC 6750 section 3")
struct AuthenticationErrorTests {
  static let all: [AuthenticationError] = [
    .missing, .repeated,
    .wrongScheme, .tooLong(limit: 4096), .malformed("it has fewer than three parts"),
    .wrongAlgorithm, .badSignature, .expired, .notYetValid, .revoked, .wrongIssuer,
    .wrongAudience, .unknownKey, .mfaRequired, .missingScope("write"),
  ]

  @Test(arguments: all)
  func `has a status, a code and a challenge`(_ error: AuthenticationError) {
    switch error {
    case .mfaRequired, .missingScope:
      #expect(error.status == 403 && error.code == "INSUFFICIENT_PERMISSIONS")
    default:
      #expect(error.status == 401 && error.code == "AUTHENTICATION_REQUIRED")
    }
    #expect(error.challenge.hasPrefix("Bearer realm=\"gateway\""))
    // RFC 6750 section 3: error_description has no quote, no backslash and ASCII only.
    #expect(error.message.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F && $0 != 0x22 && $0 != 0x5C })
  }

  @Test func `says which scope is missing`() {
    let error = AuthenticationError.missingScope("write")
    #expect(error.message.contains("write"))
    #expect(error.challenge.contains(#"error="insufficient_scope""#))
    #expect(error.challenge.hasSuffix(#"scope="write""#))
  }

  @Test func `without credentials there is no error code`() {
    #expect(AuthenticationError.missing.challenge == #"Bearer realm="gateway""#)
    #expect(
      AuthenticationError.expired.challenge
        == #"Bearer realm="gateway", error="invalid_token", "#
        + #"error_description="The token has expired; get a new one""#
    )
  }
}
