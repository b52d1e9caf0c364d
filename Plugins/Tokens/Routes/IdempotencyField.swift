import GatewayPlugin

/// The header field `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header).
enum IdempotencyField {
  static let name = "Idempotency-Key"
  /// Characters of a key.
  static let length = 16...64

  /// What a reader of the API is told of it.
  static func parameter(isRequired: Bool = false) -> Parameter {
    .header(
      name,
      .string(
        "Visible ASCII, of your choice, new for each new request; bare or in quotation marks",
        length,
        pattern: "^[!#-~]*$"
      ),
      "Sent again with the same body, a request gives its first answer and changes nothing",
      required: isRequired
    )
  }

  /// The key of a request; on routes that can do without, `nil` when it is absent.
  ///
  /// - Parameters:
  ///   - request: Its header.
  ///   - operation: What is done, like `transfer`.
  ///   - argument: The body; with another the key is refused.
  ///   - isRequired: Whether the field must be there.
  /// - Returns: The key, the caller's own.
  /// - Throws: 400 when it is required and absent (as the draft says), 422 when it is malformed.
  static func read(
    _ request: borrowing Request,
    _ operation: String,
    _ argument: JSON,
    isRequired: Bool = false
  ) throws(Failure) -> IdempotencyKey? {
    guard let value = request.field(name) else {
      if !isRequired { return nil }
      throw Failure(
        status: 400,
        code: "IDEMPOTENCY_KEY_REQUIRED",
        message:
          "Send the header field \(name), a new text of \(length.lowerBound) to \(length.upperBound) characters for each new request.",
        details: [["field": .string(name), "reason": "is required"]]
      )
    }
    guard let key = parse(value) else {
      let reason =
        "must be \(length.lowerBound) to \(length.upperBound) visible ASCII characters, bare or in quotation marks"
      throw .validation([FieldError(field: name, reason: reason)])
    }
    return IdempotencyKey(
      subject: "user:" + request.caller.subject,
      key: key,
      operation: operation,
      argument: argument
    )
  }

  /// The key in a field's value: a Structured Field string (RFC 9651 §3.3.3) as in the draft, or bare.
  static func parse(_ value: String) -> String? {
    var bytes = Array(value.utf8)
    if bytes.count >= 2, bytes.first == UInt8(ascii: "\""), bytes.last == UInt8(ascii: "\"") {
      bytes = Array(bytes.dropFirst().dropLast())
    }
    guard length.contains(bytes.count),
      bytes.allSatisfy({ (0x21...0x7E).contains($0) && $0 != UInt8(ascii: "\"") })
    else { return nil }
    return String(decoding: bytes, as: UTF8.self)
  }
}
