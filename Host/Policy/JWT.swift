import COpenSSL
package import Wire

/// JSON Web Tokens signed with HMAC-SHA256 and nothing else: RFC 7515, RFC 7519, RFC 8725.
package enum JWT {
  /// The parts of a token, decoded and so far believed in nothing.
  package struct Parts {
    package let header: JSON
    /// The bytes of the claims, to be parsed once the signature is known to match.
    package let claims: [UInt8]
    let signature: [UInt8]
    /// How many bytes of the token are signed.
    let signedCount: Int
  }

  /// Checks form, algorithm and signature; the claims are for `TokenClaims` to judge.
  ///
  /// - Parameters:
  ///   - token: The compact form, already bounded in length.
  ///   - secret: The key, not empty.
  /// - Returns: The claims as the signer wrote them.
  /// - Throws: `AuthenticationError`.
  package static func verify(
    _ token: Span<UInt8>,
    secret: [UInt8]
  ) throws(AuthenticationError) -> JSON {
    let parts = try split(token)
    try checkHeader(parts.header)
    let expected = signature(of: token.extracting(first: parts.signedCount), secret: secret)
    guard isEqual(expected, parts.signature) else { throw .badSignature }
    return try object(parts.claims, "its claims are no JSON object")
  }

  /// Makes a token of `claims`.
  package static func sign(_ claims: JSON, secret: [UInt8]) -> String {
    let header: JSON = ["alg": "HS256", "typ": "JWT"]
    let signed = Base64URL.encode(header.bytes) + "." + Base64URL.encode(claims.bytes)
    return signed + "." + Base64URL.encode(signature(of: Array(signed.utf8).span, secret: secret))
  }

  /// A new `jti`: 128 random bits in hexadecimal.
  package static func newTokenID() -> String {
    var random = SystemRandomNumberGenerator()  // getrandom(2) on Linux
    let digits = [random.next(), random.next()].map { (word: UInt64) in
      let text = String(word, radix: 16)
      return String(repeating: "0", count: 16 - text.count) + text
    }
    return digits.joined()
  }

  /// Decodes three parts in base64url, without padding and without idle bits.
  package static func split(_ token: Span<UInt8>) throws(AuthenticationError) -> Parts {
    var dots: [Int] = []
    for index in token.indices where token[index] == UInt8(ascii: ".") {
      guard dots.count < 2 else { throw .malformed("it has more than three parts") }
      dots.append(index)
    }
    guard dots.count == 2 else { throw .malformed("it has fewer than three parts") }
    guard let header = Base64URL.decode(token.extracting(0..<dots[0])),
      let claims = Base64URL.decode(token.extracting((dots[0] + 1)..<dots[1])),
      let signature = Base64URL.decode(token.extracting((dots[1] + 1)..<token.count))
    else { throw .malformed("a part is not in strict base64url") }
    return Parts(
      header: try object(header, "its header is no JSON object"),
      claims: claims,
      signature: signature,
      signedCount: dots[1]
    )
  }

  /// RFC 8725 §3.1, §3.11: the one algorithm, and a type that is an access token's.
  ///
  /// `kid`, `jku`, `jwk`, `x5u` and the like are not looked at: there is one key, and a token cannot choose it.
  private static func checkHeader(_ header: JSON) throws(AuthenticationError) {
    guard header["alg"] == .string("HS256") else { throw .wrongAlgorithm }
    // RFC 7515 §4.1.11: extensions that must be understood; none is.
    guard header["crit"] == nil else { throw .malformed("its header has crit") }
    guard let type = header["typ"] else { return }
    let known = type.asString.map { ["jwt", "at+jwt"].contains($0.lowercased()) }
    guard known == true else { throw .malformed("its typ is not JWT") }
  }

  private static func object(
    _ bytes: [UInt8],
    _ defect: String
  ) throws(AuthenticationError) -> JSON {
    // A token has no use for deep nesting, and a parser's depth is the caller's to choose.
    guard let value = try? JSON.parse(bytes.span, maxDepth: 16), value.asMembers != nil else {
      throw .malformed(defect)
    }
    return value
  }

  static func signature(of signed: Span<UInt8>, secret: [UInt8]) -> [UInt8] {
    precondition(!secret.isEmpty, "an empty key signs nothing")
    var digest = [UInt8](repeating: 0, count: 32)
    var count: UInt32 = 0
    // The pointers are read and written within the call only, and a SHA-256 has 32 bytes.
    let done = unsafe signed.withUnsafeBufferPointer { bytes in
      unsafe HMAC(
        EVP_sha256(),
        secret,
        CInt(secret.count),
        bytes.baseAddress,
        bytes.count,
        &digest,
        &count
      )
    }
    precondition(unsafe done != nil && count == 32, "HMAC-SHA256 is not available")
    return digest
  }

  /// Whether two secrets are equal, in a time that depends on their length only.
  static func isEqual(_ one: [UInt8], _ other: [UInt8]) -> Bool {
    guard one.count == other.count else { return false }
    return unsafe CRYPTO_memcmp(one, other, one.count) == 0
  }
}
