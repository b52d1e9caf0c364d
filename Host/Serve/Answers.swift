package import Wire

/// Why the host itself turns a request away.
package enum Refusal: Error, Equatable {
  case head(HeadError)
  case body(ChunkError)
  case path
  case notFound
  case methodNotAllowed([String])
  case authentication(AuthenticationError)
  case rateLimited(tier: String, retryAfter: Int)
  case bodyTooLarge(limit: UInt64)
  case headTooSlow
  case bodyTooSlow(bytesPerSecond: Int)
  case tooManyConnections
  case handshake(HandshakeError)
  case foreignOrigin
  case routeBusy
  case poolBusy
  case pluginFault
  case pluginTimeout
}

/// An error answer before it takes the envelope's or problem+json's form.
package struct Failure {
  package var status: UInt16
  package var code: String
  package var message: String
  /// One JSON value, or empty.
  package var details: [UInt8] = []
  /// Header fields that belong to this answer alone.
  var fields = RenderedFields()
  /// The lines of `fields`.
  package var lines: [UInt8] {
    get { fields.lines }
    set { fields.lines = newValue }
  }

  package init(_ status: UInt16, _ code: String, _ message: String, lines: String = "") {
    self.status = status
    self.code = code
    self.message = message
    self.lines = Array(lines.utf8)
  }
}

extension Failure {
  /// The one place where a refusal becomes status, code and words.
  package init(_ refusal: Refusal) {
    switch refusal {
    case .head(let error):
      // Also where the status is 505: it is the client that is to change something.
      self.init(error.status, "VALIDATION_ERROR", error.message)
    case .body(let error):
      self.init(error.status, Self.code(for: error.status), error.message)
    case .path:
      self.init(
        400,
        "VALIDATION_ERROR",
        "The path has a '.' or '..' segment, a NUL or a malformed percent-encoding; send the plain path."
      )
    case .notFound:
      self.init(
        404,
        "RESOURCE_NOT_FOUND",
        "Nothing is served at this path; GET / lists the endpoints."
      )
    case .methodNotAllowed(let allowed):
      let list = allowed.joined(separator: ", ")
      self.init(
        405,
        "METHOD_NOT_ALLOWED",
        "This path answers \(list) only.",
        lines: "Allow: \(list)\r\n"
      )
    case .authentication(let error):
      self.init(error.status, error.code, error.message)
      lines = Array("WWW-Authenticate: \(error.challenge)\r\n".utf8)
    case .rateLimited(let tier, let retryAfter):
      self.init(
        429,
        "RATE_LIMIT_EXCEEDED",
        "Rate limit exceeded for tier \(tier); try again in \(retryAfter) s."
      )
    case .bodyTooLarge(let limit):
      self.init(
        413,
        "PAYLOAD_TOO_LARGE",
        "The body is larger than the \(limit) bytes allowed here."
      )
    case .headTooSlow:
      self.init(
        408,
        "REQUEST_TIMEOUT",
        "The request's head did not arrive in time; send it at once."
      )
    case .bodyTooSlow(let rate):
      self.init(
        408,
        "REQUEST_TIMEOUT",
        "The body came slower than \(rate) bytes a second; send it faster or in smaller parts."
      )
    case .tooManyConnections:
      self = .unavailable("Too many connections from this address; close some and try again.")
    case .handshake(let error):
      self.init(error.status, Self.code(for: error.status), error.message)
      if error.status == 426 {
        for (name, value) in WebSocketHandshake.refusalFields {
          lines += "\(name): \(value)\r\n".utf8
        }
      }
    case .foreignOrigin:
      self.init(
        403,
        "INSUFFICIENT_PERMISSIONS",
        "Pages of this origin may not open WebSockets here; CORS_ORIGINS lists those that may."
      )
    case .routeBusy:
      self = .unavailable("Too many requests of this route are under way; try again shortly.")
    case .poolBusy:
      self = .unavailable("The gateway is at its limit of waiting requests; try again shortly.")
    case .pluginFault:
      self.init(
        500,
        "INTERNAL_ERROR",
        "The service failed on this request; the log has it under request_id."
      )
    case .pluginTimeout:
      self.init(504, "SERVICE_UNAVAILABLE", "The service did not answer in time; try again later.")
    }
  }

  private static func unavailable(_ message: String) -> Failure {
    Failure(503, "SERVICE_UNAVAILABLE", message, lines: "Retry-After: 1\r\n")
  }

  /// The code of an error that names none.
  package static func code(for status: UInt16) -> String {
    switch status {
    case 401: "AUTHENTICATION_REQUIRED"
    case 403: "INSUFFICIENT_PERMISSIONS"
    case 404: "RESOURCE_NOT_FOUND"
    case 405: "METHOD_NOT_ALLOWED"
    case 408: "REQUEST_TIMEOUT"
    case 409: "CONFLICT"
    case 413: "PAYLOAD_TOO_LARGE"
    case 429: "RATE_LIMIT_EXCEEDED"
    case 503, 504: "SERVICE_UNAVAILABLE"
    case 400..<500: "VALIDATION_ERROR"
    default: "INTERNAL_ERROR"
    }
  }
}
