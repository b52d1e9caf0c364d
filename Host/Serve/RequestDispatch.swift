import Glibc
import Synchronization
import Wire

/// From a complete head to whoever answers: id, route, identity, rate, then plugin or built-in.
extension HTTPConnection {
  /// Handles the request whose head `server.head` has just read from `bytes`.
  func dispatch(_ bytes: UnsafeBufferPointer<UInt8>) {
    let exchange = server.takeExchange()
    self.exchange = exchange
    unsafe note(bytes, in: exchange)
    body = hasBody ? BodyReader(server.head.framing, limit: .max) : nil
    bodyBegan = now
    pausedAt = nil
    server.prepareWriter()
    do throws(Refusal) {
      unsafe try route(bytes, exchange)
    } catch {
      refuse(error)
    }
  }

  /// Whether any byte of body follows the head at hand.
  var hasBody: Bool {
    switch server.head.framing {
    case .none, .length(0): false
    case .length, .chunked: true
    }
  }

  /// Copies from the head what outlives it.
  private func note(_ bytes: UnsafeBufferPointer<UInt8>, in exchange: Exchange) {
    // One copy: a call on the server's own head would copy it each time.
    let head = server.head
    let isStopping = server.core.endsConnections.load(ordering: .relaxed)
    exchange.began = server.accessLog == nil ? now : MonotonicClock.now
    exchange.isHead = head.method == .head
    exchange.isHTTP10 = head.minorVersion == 0
    exchange.keepAlive = head.keepAlive && !isStopping
    exchange.awaitsContinue = head.expectsContinue
    unsafe exchange.method.append(contentsOf: bytes[head.methodRange])
    unsafe exchange.path.append(contentsOf: bytes[head.pathRange])
    let span = unsafe bytes.span
    if let id = head.first(.xRequestID), RequestIDs.isSane(span.extracting(id)) {
      unsafe exchange.requestID.append(contentsOf: bytes[id])
    } else {
      server.makeRequestID(into: &exchange.requestID)
    }
    if let field = head.first(.traceparent),
      let id = TraceContext.traceID(in: span.extracting(field))
    {
      let start = field.lowerBound
      unsafe exchange.traceID.append(
        contentsOf: bytes[(start + id.lowerBound)..<(start + id.upperBound)]
      )
    }
    if let accepted = head.first(.acceptEncoding) {
      exchange.acceptsGzip = QualityList.acceptsGzip(span, accepted)
    }
    if let accepted = head.first(.accept) {
      exchange.prefersProblem = QualityList.prefersProblem(span, accepted)
    }
    if let origin = head.first(.origin) {
      exchange.isFromKnownPage = server.cors.appendFields(
        origin: span.extracting(origin),
        to: &exchange.lines
      )
    }
  }

  private func route(
    _ bytes: UnsafeBufferPointer<UInt8>,
    _ exchange: Exchange
  ) throws(Refusal) {
    let path = unsafe bytes.span.extracting(server.head.pathRange)
    guard path.count > 0 else { return answerOptions(exchange, methods: ["OPTIONS"]) }  // "*"
    guard server.path.split(path) else {
      try limit(exchange, nil)
      throw .path
    }
    let table = server.currentRoutes()
    let method = unsafe bytes.span.extracting(server.head.methodRange)
    switch table.match(server.path, method: method) {
    case .found(.builtIn(let builtIn)):
      var caller: Caller?
      if builtIn.scope != nil || builtIn == .webSocket {
        caller = unsafe try identify(bytes, exchange)
      }
      if builtIn.isLimited { try limit(exchange, caller) }
      if let scope = builtIn.scope { try admit(caller, scope) }
      unsafe answer(builtIn, exchange, bytes, caller)
    case .found(.plugin(let route, let scope)):
      let caller = unsafe try identify(bytes, exchange)
      try limit(exchange, caller)
      if !route.isPublic { try admit(caller, scope) }
      unsafe try begin(route, exchange, bytes, caller)
    case .wrongMethod(let allowed):
      try limit(exchange, nil)
      guard server.head.method == .options else { throw .methodNotAllowed(allowed) }
      answerOptions(exchange, methods: allowed)
    case .nothing:
      try limit(exchange, nil)
      throw .notFound
    }
  }

  // MARK: - Who, and how often

  /// Who the request's credentials name; `nil` when it brings none.
  ///
  /// Wrong credentials count against the address, so that guessing is limited.
  private func identify(
    _ bytes: UnsafeBufferPointer<UInt8>,
    _ exchange: Exchange
  ) throws(Refusal) -> Caller? {
    let head = server.head
    let bearer = head.first(.authorization)
    let key = head.first(.xAPIKey)
    guard bearer != nil || key != nil else { return nil }
    let seconds = server.writer.unixTime
    do throws(AuthenticationError) {
      guard head.count(.authorization) <= 1, head.count(.xAPIKey) <= 1 else { throw .repeated }
      let caller: Caller
      if let bearer {
        let field = unsafe bytes.span.extracting(bearer)
        let token = field.extracting(try Authenticator.token(in: field))
        caller = try server.tokens.caller(bearer: token, now: seconds)
      } else {
        caller = try server.tokens.caller(
          apiKey: unsafe bytes.span.extracting(key ?? 0..<0),
          now: seconds
        )
      }
      exchange.subject.append(contentsOf: caller.subject)
      return caller
    } catch {
      try limit(exchange, nil)
      throw .authentication(error)
    }
  }

  /// Who a token from another place than the usual field names.
  func identify(token: Span<UInt8>, _ exchange: Exchange) throws(Refusal) -> Caller {
    do throws(AuthenticationError) {
      return try server.tokens.caller(bearer: token, now: server.writer.unixTime)
    } catch {
      try limit(exchange, nil)
      throw .authentication(error)
    }
  }

  func requireFactor(_ caller: Caller) throws(Refusal) {
    do throws(AuthenticationError) {
      try server.core.authenticator.requireFactor(caller)
    } catch {
      throw .authentication(error)
    }
  }

  /// Counts the request, and adds the rate limit fields to its answer.
  private func limit(_ exchange: Exchange, _ caller: Caller?) throws(Refusal) {
    let window: any RateWindow
    let tier: RateTier
    if let caller {
      window = caller.window
      tier = caller.tier
    } else {
      window = anonymousWindow()
      tier = server.core.tiers.fallback
    }
    let decision = window.take(tier, now: now)
    RateFields.append(decision, tier, unixTime: server.writer.unixTime, to: &exchange.lines)
    guard decision.isAllowed else {
      throw .rateLimited(tier: tier.name, retryAfter: decision.resetSeconds)
    }
  }

  private func anonymousWindow() -> any RateWindow {
    if let addressWindow { return addressWindow }
    let text = String(decoding: peer, as: UTF8.self)
    let window = server.core.rates.window(for: RateKey.address(text))
    addressWindow = window
    return window
  }

  private func admit(_ caller: Caller?, _ scope: RequiredScope) throws(Refusal) {
    do throws(AuthenticationError) {
      try server.core.authenticator.admit(caller, scope)
    } catch {
      throw .authentication(error)
    }
  }

  // MARK: - Answers of the host's own

  /// Answers with `refusal`, in place of the route.
  func refuse(_ refusal: Refusal) {
    guard let exchange else { return }
    decideReuse(exchange)
    server.writer.failure(exchange, Failure(refusal))
    finish(exchange)
  }

  /// Whether the connection can go on after an answer given now; before the answer is rendered.
  ///
  /// A body that the client still means to send is cheaper to read than a new connection, if it is
  /// small and its end is known; one that waits for 100 Continue may never come (RFC 9110 §10.1.1).
  func decideReuse(_ exchange: Exchange) {
    guard let body else { return }
    let isWorthIt = (body.remaining ?? .max) <= HTTPConnection.discardBytes
    if !isWorthIt || exchange.awaitsContinue { exchange.keepAlive = false }
  }

  /// Answers bytes after which nothing on this connection can be understood, and ends it.
  func refuseUnread(_ refusal: Refusal) {
    let exchange = server.takeExchange()
    self.exchange = exchange
    exchange.keepAlive = false
    exchange.began = now
    server.makeRequestID(into: &exchange.requestID)
    server.prepareWriter()
    body = nil
    refuse(refusal)
  }

  private func answerOptions(_ exchange: Exchange, methods: [String]) {
    var fields = RenderedFields()
    fields.lines = Array("Allow: \(methods.joined(separator: ", "))\r\n".utf8)
    if server.head.first(.accessControlRequestMethod) != nil, exchange.isFromKnownPage {
      fields.lines += CORSPolicy.preflightLines(methods: methods).utf8
    }
    decideReuse(exchange)
    server.writer.plain(exchange, status: 204, type: "", [], fields: fields)
    finish(exchange)
  }
}
