/// Base64 with `-` and `_` and without padding, as tokens use it (RFC 4648 §5, RFC 7515 §2).
package enum Base64URL {
  /// The text of `bytes`.
  package static func encode(_ bytes: [UInt8]) -> String {
    var output: [UInt8] = []
    output.reserveCapacity((bytes.count + 2) / 3 * 4)
    Base64.write(bytes.span, alphabet: .url, to: &output)
    return String(decoding: output, as: UTF8.self)
  }

  /// The bytes that `text` stands for, or `nil` when it is not exactly what `encode` writes.
  ///
  /// Padding, white space and unused bits that are not zero are refused, so that no two texts are
  /// the same token.
  package static func decode(_ text: Span<UInt8>) -> [UInt8]? {
    Base64.read(text, alphabet: .url)
  }
}
