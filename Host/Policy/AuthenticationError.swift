/// Why a caller is not let in.
package enum AuthenticationError: Error, Equatable {
  /// No credentials where the route needs some.
  case missing
  /// An `Authorization` field that is not `Bearer` and one token.
  case wrongScheme
  /// Several fields of one kind: who is meant depends on which of them is read.
  case repeated
  /// More bytes than `Limits.credentialBytes`.
  case tooLong(limit: Int)
  /// Not a token as RFC 7515 and RFC 7519 write it; the text says what is wrong, in ASCII without quotes.
  case malformed(String)
  case wrongAlgorithm
  case badSignature
  case expired
  case notYetValid
  case revoked
  case wrongIssuer
  case wrongAudience
  case unknownKey
  case mfaRequired
  case missingScope(String)

  /// 401 when it is open who calls, 403 when that is known and not enough.
  package var status: UInt16 {
    switch self {
    case .mfaRequired, .missingScope: 403
    case .missing, .wrongScheme, .repeated, .tooLong, .malformed, .wrongAlgorithm, .badSignature,
      .expired,
      .notYetValid, .revoked, .wrongIssuer, .wrongAudience, .unknownKey:
      401
    }
  }

  /// The `error_code` of the envelope.
  package var code: String {
    status == 403 ? "INSUFFICIENT_PERMISSIONS" : "AUTHENTICATION_REQUIRED"
  }

  /// What was wrong and what to do, for the caller; never a part of a credential.
  package var message: String {
    switch self {
    case .missing: "Send credentials: Authorization: Bearer TOKEN, or X-API-Key: KEY"
    case .wrongScheme: "The Authorization field must be the word Bearer, a space and one token"
    case .repeated: "Send the Authorization or X-API-Key field once; this request repeats it"
    case .tooLong(let limit): "The credential is longer than \(limit) bytes"
    case .malformed(let defect): "The token is malformed: \(defect)"
    case .wrongAlgorithm: "The token must be signed with HS256"
    case .badSignature: "The signature of the token does not match"
    case .expired: "The token has expired; get a new one"
    case .notYetValid: "The token is not valid yet; check the clock of whoever issued it"
    case .revoked: "The token has been revoked; get a new one"
    case .wrongIssuer: "The token is from an issuer that is not accepted here"
    case .wrongAudience: "The token is meant for another audience"
    case .unknownKey: "The API key is not known"
    case .mfaRequired: "A token with a verified second factor is required (mfa_verified)"
    case .missingScope(let scope): "The credential lacks the scope \(scope); use one that has it"
    }
  }

  /// The value of `WWW-Authenticate`, RFC 6750 §3.
  package var challenge: String {
    let realm = "Bearer realm=\"gateway\""
    switch self {
    // Section 3.1: without credentials, or with others than a token, no error code.
    case .missing, .unknownKey: return realm
    case .wrongScheme, .repeated: return described(realm, "invalid_request")
    // RFC 9470 §3: the word for a second factor that is missing.
    case .mfaRequired: return described(realm, "insufficient_user_authentication")
    case .missingScope(let scope):
      return described(realm, "insufficient_scope") + ", scope=\"\(scope)\""
    case .tooLong, .malformed, .wrongAlgorithm, .badSignature, .expired, .notYetValid, .revoked,
      .wrongIssuer, .wrongAudience:
      return described(realm, "invalid_token")
    }
  }

  private func described(_ realm: String, _ error: String) -> String {
    "\(realm), error=\"\(error)\", error_description=\"\(message)\""
  }
}
