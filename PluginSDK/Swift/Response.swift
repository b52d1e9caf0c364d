/// What a handler answers with.
public struct Response: Sendable {
  enum Body: Sendable {
    case data(JSON)
    case encoded([UInt8])
    case failure(Failure)
    case bytes([UInt8])
    case stream(length: UInt64?, @Sendable (borrowing ResponseWriter) throws -> Void)
    case later
  }

  var status: UInt16
  var message: String
  var fields: HeaderFields
  var body: Body

  /// Success in the gateway's envelope.
  ///
  /// - Parameters:
  ///   - data: The member `data`.
  ///   - message: The member `message`.
  ///   - status: 200...299.
  ///   - fields: Header fields added to the answer.
  /// - Returns: The response.
  public static func data(
    _ data: JSON,
    message: String = "",
    status: UInt16 = 200,
    fields: HeaderFields = [:]
  ) -> Response {
    Response(status: status, message: message, fields: fields, body: .data(data))
  }

  /// Success in the envelope, with `data` already written as one JSON value.
  ///
  /// The gateway splices the bytes in as they are.
  ///
  /// - Parameters:
  ///   - data: UTF-8 of exactly one JSON value.
  ///   - message: The member `message`.
  ///   - status: 200...299.
  ///   - fields: Header fields added to the answer.
  /// - Returns: The response.
  public static func data(
    encoded data: [UInt8],
    message: String = "",
    status: UInt16 = 200,
    fields: HeaderFields = [:]
  ) -> Response {
    Response(status: status, message: message, fields: fields, body: .encoded(data))
  }

  /// An error in the envelope; the same as throwing it.
  public static func failure(_ failure: Failure) -> Response {
    Response(status: failure.status, message: "", fields: [:], body: .failure(failure))
  }

  /// Any other answer, whole.
  ///
  /// - Parameters:
  ///   - bytes: The body.
  ///   - contentType: Like `text/plain; charset=utf-8`; empty for no such field.
  ///   - status: 200...599.
  ///   - fields: Header fields added to the answer. Framing fields are refused: the request is
  ///     answered with 500.
  /// - Returns: The response.
  public static func bytes(
    _ bytes: [UInt8],
    contentType: String,
    status: UInt16 = 200,
    fields: HeaderFields = [:]
  ) -> Response {
    var fields = fields
    if !contentType.isEmpty { fields.append("Content-Type", contentType) }
    return Response(status: status, message: "", fields: fields, body: .bytes(bytes))
  }

  /// An answer written piece by piece while `produce` runs.
  ///
  /// `produce` runs on a worker (also for an inline route) and may block. What it throws ends the
  /// answer: 500 if nothing was sent yet, else the connection is cut.
  ///
  /// - Parameters:
  ///   - status: 200...599.
  ///   - fields: Header fields, with the `Content-Type`.
  ///   - length: Bytes of the whole body, if known; with fewer the connection is cut.
  ///   - produce: Writes the body.
  /// - Returns: The response.
  public static func stream(
    status: UInt16 = 200,
    fields: HeaderFields,
    length: Int? = nil,
    _ produce: @escaping @Sendable (borrowing ResponseWriter) throws -> Void
  ) -> Response {
    let length = length.map { UInt64(clamping: $0) }
    return Response(
      status: status,
      message: "",
      fields: fields,
      body: .stream(length: length, produce)
    )
  }

  /// Nothing now: `answer` does it, from any thread.
  public static func later(_ answer: Answer) -> Response {
    Response(status: 0, message: "", fields: [:], body: .later)
  }
}
