/// One route: who may call it, what calls it, and what a reader of the API is told about it.
public struct Route: Sendable {
  /// Where a handler runs.
  public enum Place: Sendable {
    /// A thread of the host's bounded pool; the handler may block.
    case worker
    /// The event loop; the handler must return at once.
    case inline
  }

  /// What the host allows one route.
  ///
  /// Zero and `nil` mean the host's default.
  public struct Limits: Sendable, Equatable {
    /// Bytes of a request body; more gets 413.
    public var maxBody: Int?
    /// Requests at once; more get 503.
    public var maxInFlight: Int?
    /// From the complete request to the answer's start; then 504.
    public var timeout: Duration?

    /// Limits that differ from the host's defaults.
    ///
    /// - Parameters:
    ///   - maxBody: Bytes of a request body.
    ///   - maxInFlight: Requests at once.
    ///   - timeout: From the complete request to the answer's start.
    public init(maxBody: Int? = nil, maxInFlight: Int? = nil, timeout: Duration? = nil) {
      self.maxBody = maxBody
      self.maxInFlight = maxInFlight
      self.timeout = timeout
    }
  }

  /// What a request to a route calls.
  public typealias Handler = @Sendable (borrowing Request) throws -> Response

  /// What a request to an upload route calls, before its body arrives.
  public typealias Opener = @Sendable (borrowing Request) throws -> any BodySink

  enum Action: Sendable {
    case whole(Handler)
    case upload(Opener)
  }

  let method: String
  let pattern: String
  let scope: Scope
  let place: Place
  let limits: Limits
  let description: RouteDescription
  let action: Action

  /// A route whose request body, if any, arrives whole.
  ///
  /// - Parameters:
  ///   - method: Like `PUT`; `GET` also answers `HEAD`.
  ///   - pattern: Like `/v1/files/{id}/content`.
  ///   - scope: What a caller needs.
  ///   - description: What a reader of the API is told.
  ///   - runs: Where the handler runs.
  ///   - limits: What differs from the host's defaults.
  ///   - handler: Called for each request, side by side with itself.
  public init(
    _ method: String,
    _ pattern: String,
    scope: Scope,
    description: RouteDescription,
    runs: Place = .worker,
    limits: Limits = Limits(),
    handler: @escaping Handler
  ) {
    self.method = method
    self.pattern = pattern
    self.scope = scope
    self.place = runs
    self.limits = limits
    self.description = description
    self.action = .whole(handler)
  }

  /// A route whose request body is delivered as it arrives, in constant memory.
  ///
  /// - Parameters:
  ///   - method: `POST`, `PUT` or `PATCH`.
  ///   - pattern: Like `/v1/upload`.
  ///   - scope: What a caller needs.
  ///   - description: What a reader of the API is told.
  ///   - limits: What differs from the host's defaults.
  ///   - opener: Called with the head of each request; gives what takes its body.
  public init(
    upload method: String,
    _ pattern: String,
    scope: Scope,
    description: RouteDescription,
    limits: Limits = Limits(),
    opener: @escaping Opener
  ) {
    self.method = method
    self.pattern = pattern
    self.scope = scope
    self.place = .worker
    self.limits = limits
    self.description = description
    self.action = .upload(opener)
  }
}

/// What a caller of a route needs.
public struct Scope: Sendable, Equatable {
  /// The word in the token or key; empty for anyone.
  public let name: String

  /// A scope of another name.
  public init(_ name: String) { self.name = name }

  /// Reading.
  public static let read = Scope("read")

  /// Changing.
  public static let write = Scope("write")

  /// Everything, for operators.
  public static let admin = Scope("admin")

  /// No credentials needed.
  public static let anyone = Scope("")
}

extension Route {
  /// Answers `GET` and `HEAD`.
  ///
  /// - Parameters:
  ///   - pattern: Like `/v1/files/{id}`.
  ///   - scope: What a caller needs.
  ///   - summary: What it does, in a few words.
  ///   - parameters: Of path and query.
  ///   - answer: The member `data` of the answer.
  ///   - statuses: Further statuses, and what each says.
  ///   - runs: Where the handler runs.
  ///   - limits: What differs from the host's defaults.
  ///   - handler: Called for each request.
  /// - Returns: The route.
  public static func get(
    _ pattern: String,
    scope: Scope,
    summary: String,
    parameters: [Parameter] = [],
    answer: Schema? = nil,
    statuses: [UInt16: String] = [:],
    runs: Place = .worker,
    limits: Limits = Limits(),
    handler: @escaping Handler
  ) -> Route {
    let description = RouteDescription(
      summary,
      parameters: parameters,
      answer: answer,
      statuses: statuses
    )
    return Route(
      "GET",
      pattern,
      scope: scope,
      description: description,
      runs: runs,
      limits: limits,
      handler: handler
    )
  }

  /// Answers `POST`.
  ///
  /// - Parameters:
  ///   - pattern: Like `/v1/things`.
  ///   - scope: What a caller needs.
  ///   - summary: What it does, in a few words.
  ///   - parameters: Of path and query.
  ///   - body: The JSON of the request.
  ///   - answer: The member `data` of the answer.
  ///   - status: The status of success, for the reader of the API; the handler says it too.
  ///   - statuses: Further statuses, and what each says.
  ///   - runs: Where the handler runs.
  ///   - limits: What differs from the host's defaults.
  ///   - handler: Called for each request.
  /// - Returns: The route.
  public static func post(
    _ pattern: String,
    scope: Scope,
    summary: String,
    parameters: [Parameter] = [],
    body: Schema? = nil,
    answer: Schema? = nil,
    status: UInt16 = 200,
    statuses: [UInt16: String] = [:],
    runs: Place = .worker,
    limits: Limits = Limits(),
    handler: @escaping Handler
  ) -> Route {
    let description = RouteDescription(
      summary,
      parameters: parameters,
      body: body,
      answer: answer,
      status: status,
      statuses: statuses
    )
    return Route(
      "POST",
      pattern,
      scope: scope,
      description: description,
      runs: runs,
      limits: limits,
      handler: handler
    )
  }

  /// Answers `DELETE`.
  ///
  /// - Parameters:
  ///   - pattern: Like `/v1/things/{id}`.
  ///   - scope: What a caller needs.
  ///   - summary: What it does, in a few words.
  ///   - parameters: Of path and query.
  ///   - answer: The member `data` of the answer.
  ///   - statuses: Further statuses, and what each says.
  ///   - limits: What differs from the host's defaults.
  ///   - handler: Called for each request.
  /// - Returns: The route.
  public static func delete(
    _ pattern: String,
    scope: Scope,
    summary: String,
    parameters: [Parameter] = [],
    answer: Schema? = nil,
    statuses: [UInt16: String] = [:],
    limits: Limits = Limits(),
    handler: @escaping Handler
  ) -> Route {
    let description = RouteDescription(
      summary,
      parameters: parameters,
      answer: answer,
      statuses: statuses
    )
    return Route(
      "DELETE",
      pattern,
      scope: scope,
      description: description,
      limits: limits,
      handler: handler
    )
  }

  /// Answers `POST` with a body of any size, delivered as it arrives.
  ///
  /// - Parameters:
  ///   - pattern: Like `/v1/upload`.
  ///   - scope: What a caller needs.
  ///   - summary: What it does, in a few words.
  ///   - contentType: What the body is, like `multipart/form-data`.
  ///   - body: Described for the reader of the API; not checked.
  ///   - answer: The member `data` of the answer.
  ///   - statuses: Further statuses, and what each says.
  ///   - limits: What differs from the host's defaults; set `maxBody`.
  ///   - opener: Called with the head of each request; gives what takes its body.
  /// - Returns: The route.
  public static func upload(
    _ pattern: String,
    scope: Scope,
    summary: String,
    contentType: String = "multipart/form-data",
    body: Schema = .binary,
    answer: Schema? = nil,
    statuses: [UInt16: String] = [:],
    limits: Limits,
    opener: @escaping Opener
  ) -> Route {
    let description = RouteDescription(
      summary,
      body: body,
      contentType: contentType,
      answer: answer,
      statuses: statuses
    )
    return Route(
      upload: "POST",
      pattern,
      scope: scope,
      description: description,
      limits: limits,
      opener: opener
    )
  }
}
