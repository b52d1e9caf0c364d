/// An answer that is an error, in the gateway's envelope.
///
/// Thrown from a handler, it is what the client gets. Its message says what was wrong and what to
/// do; secrets, paths and stacks have no place in it.
public struct Failure: Error, Sendable, Equatable {
  /// 400...599.
  public var status: UInt16

  /// Like `VALIDATION_ERROR`; empty for the gateway's own code of `status`.
  public var code: String

  /// What was wrong and what to do.
  public var message: String

  /// Further facts, such as the list of bad fields; `nil` leaves the member out.
  public var details: JSON?

  /// Header fields added to the answer.
  public var fields: HeaderFields

  /// An error answer.
  ///
  /// - Parameters:
  ///   - status: 400...599; anything else is answered as 500.
  ///   - code: Empty for the gateway's own code of `status`.
  ///   - message: What was wrong and what to do.
  ///   - details: Further facts.
  ///   - fields: Header fields added to the answer.
  public init(
    status: UInt16,
    code: String = "",
    message: String,
    details: JSON? = nil,
    fields: HeaderFields = [:]
  ) {
    self.status = status
    self.code = code
    self.message = message
    self.details = details
    self.fields = fields
  }

  /// 400: the request cannot be understood.
  public static func badRequest(_ message: String) -> Failure {
    Failure(status: 400, message: message)
  }

  /// 403 `INSUFFICIENT_PERMISSIONS`.
  public static func forbidden(_ message: String) -> Failure {
    Failure(status: 403, code: "INSUFFICIENT_PERMISSIONS", message: message)
  }

  /// 404 `RESOURCE_NOT_FOUND`.
  public static func notFound(_ message: String) -> Failure {
    Failure(status: 404, code: "RESOURCE_NOT_FOUND", message: message)
  }

  /// 409: the state of the resource does not allow it.
  public static func conflict(_ message: String) -> Failure {
    Failure(status: 409, message: message)
  }

  /// 413: more bytes than allowed; the message names the limit.
  public static func tooLarge(limit: Int) -> Failure {
    Failure(
      status: 413,
      message: "The request body is larger than \(limit) bytes; send less.",
      details: ["limit_bytes": .integer(Int64(limit))]
    )
  }

  /// 415: the content type is not one of `allowed`.
  public static func unsupportedMediaType(allowed: [String]) -> Failure {
    Failure(
      status: 415,
      message: "Send the body as \(allowed.joined(separator: " or ")).",
      details: ["allowed": .array(allowed.map { .string($0) })]
    )
  }

  /// 422 `VALIDATION_ERROR` with every bad field in `details`.
  public static func validation(_ errors: [FieldError]) -> Failure {
    let names = errors.map { $0.field.isEmpty ? "the body" : $0.field }
    return Failure(
      status: 422,
      code: "VALIDATION_ERROR",
      message: "The request data is invalid: \(names.joined(separator: ", ")); see details.",
      details: .array(errors.map(\.json))
    )
  }

  /// 429 with `Retry-After`: the caller has as much under way as a limit allows.
  ///
  /// - Parameters:
  ///   - message: Which limit, and what to do.
  ///   - retryAfter: Rounded up to whole seconds, at least 1.
  /// - Returns: The failure.
  public static func tooManyRequests(_ message: String, retryAfter: Duration) -> Failure {
    Failure(status: 429, message: message, fields: ["Retry-After": "\(retryAfter.wholeSeconds)"])
  }

  /// 503 `SERVICE_UNAVAILABLE` with `Retry-After`.
  ///
  /// - Parameters:
  ///   - message: What is missing just now.
  ///   - retryAfter: Rounded up to whole seconds, at least 1.
  /// - Returns: The failure.
  public static func unavailable(_ message: String, retryAfter: Duration) -> Failure {
    Failure(
      status: 503,
      code: "SERVICE_UNAVAILABLE",
      message: message,
      fields: ["Retry-After": "\(retryAfter.wholeSeconds)"]
    )
  }

  // The client learns no more than this: what went wrong is in the log under the request id.
  static let unexplained = Failure(
    status: 500,
    code: "INTERNAL_ERROR",
    message: "The service failed on this request; the log has the reason under the request id."
  )
}

extension Duration {
  /// Rounded up, at least 1.
  fileprivate var wholeSeconds: Int64 {
    max(1, components.seconds + (components.attoseconds > 0 ? 1 : 0))
  }
}

/// One bad field of a request, or one bad setting.
public struct FieldError: Error, Sendable, Equatable {
  /// Where, as `filters.tags[3]`; empty for the whole body.
  public let field: String

  /// What is wrong, and what is wanted.
  public let reason: String

  /// The values that are allowed, where they are few.
  public let allowed: [String]

  /// One bad field.
  ///
  /// - Parameters:
  ///   - field: Where, as `filters.tags[3]`.
  ///   - reason: What is wrong, and what is wanted.
  ///   - allowed: The values that are allowed, where they are few.
  public init(field: String, reason: String, allowed: [String] = []) {
    self.field = field
    self.reason = reason
    self.allowed = allowed
  }

  var json: JSON {
    if allowed.isEmpty { return ["field": .string(field), "reason": .string(reason)] }
    return [
      "field": .string(field), "reason": .string(reason),
      "allowed": .array(allowed.map { .string($0) }),
    ]
  }
}
