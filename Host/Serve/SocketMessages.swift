import Synchronization
import Wire

/// The messages of `/ws`: what clients may send, and what they get for it.
extension WebSocketConnection {
  private static let allowedTypes: JSON = [
    "ping", "get_status", "subscribe", "unsubscribe", "auth",
  ]

  func welcome() {
    send([
      "type": "connection_established",
      "message": "Connected to AIVillage Unified API Gateway",
      "services": .object(
        services.map { JSON.Member(name: $0.name, value: $0.value["available"] ?? false) }
      ),
      "authenticated": .bool(caller != nil),
      "timestamp": timestamp,
    ])
  }

  /// Handles one text message; the connection goes on whatever it says.
  func receive(_ bytes: [UInt8]) {
    let message: JSON
    do throws(JSONError) {
      message = try JSON.parse(bytes)
    } catch {
      return sendError("JSON_DECODE_ERROR", "Invalid JSON format: \(error.reason)")
    }
    guard message.asMembers != nil else {
      return sendError("PROCESSING_ERROR", "Message must be a JSON object")
    }
    switch message["type"]?.asString {
    case "ping": send(["type": "pong", "timestamp": timestamp])
    case "get_status":
      send(["type": "status_update", "services": .object(services), "timestamp": timestamp])
    case "subscribe":
      change(message, from: topics ?? [], may: mayChoose) { topics, name in topics.insert(name) }
    case "unsubscribe":
      // Who has not chosen gets all; leaving one out of all leaves the rest.
      let present = topics ?? permitted
      // Also from a topic that its plugin has given up meanwhile.
      change(message, from: present, may: { present.contains($0) || mayChoose($0) }) {
        topics,
        name in topics.remove(name)
      }
    case "auth": authenticate(message)
    default:
      sendError(
        "UNKNOWN_TYPE",
        "Invalid or unsupported message type",
        [JSON.Member(name: "allowed_types", value: Self.allowedTypes)]
      )
    }
  }

  /// Whether this client may have an event, and has not chosen otherwise.
  func wants(_ topic: TopicDeclaration, subject: String) -> Bool {
    guard mayHave(topic) else { return false }
    guard subject.isEmpty || caller?.identity.subject == subject else { return false }
    return topics?.contains(topic.name) ?? true
  }

  private func mayHave(_ topic: TopicDeclaration) -> Bool {
    if topic.isPublic { return true }
    guard let caller else { return false }
    return topic.scope.isEmpty || caller.may(RequiredScope(name: topic.scope))
  }

  /// All topics this client may have.
  private var permitted: Set<String> {
    Set(server.core.topicNames.filter { server.core.topic($0).map(mayHave) ?? false })
  }

  private var services: [JSON.Member] {
    server.core.health.summary(now: server.loop.now).services.asMembers ?? []
  }

  private func change(
    _ message: JSON,
    from present: Set<String>,
    may: (String) -> Bool,
    _ apply: (inout Set<String>, String) -> Void
  ) {
    let names = message["topics"]?.asArray?.map(\.asString)
    guard let names, !names.isEmpty, names.allSatisfy({ $0 != nil }) else {
      return sendError("VALIDATION_ERROR", "topics must be a list of names, not empty")
    }
    // Each name may get an error message of its own, which is much for a name of one letter.
    guard names.count <= server.limits.topicsPerConnection else {
      return sendError(
        "LIMIT_EXCEEDED",
        "A message may name at most \(server.limits.topicsPerConnection) topics; name fewer"
      )
    }
    var chosen = present
    var hasChosen = false
    for name in names.compactMap({ $0 }) where may(name) {
      var next = chosen
      apply(&next, name)
      guard next.count <= server.limits.topicsPerConnection else {
        sendError(
          "LIMIT_EXCEEDED",
          "At most \(server.limits.topicsPerConnection) topics; unsubscribe from some first"
        )
        break
      }
      chosen = next
      hasChosen = true
    }
    if hasChosen { topics = chosen }  // else each name got its error, and nothing has changed
    send([
      "type": "subscriptions",
      "topics": .array((topics ?? permitted).sorted().map(JSON.string)),
      "timestamp": timestamp,
    ])
  }

  /// Whether this client may have the topic; sends why not.
  private func mayChoose(_ name: String) -> Bool {
    guard let topic = server.core.topic(name) else {
      sendError(
        "UNKNOWN_TOPIC",
        "There is no such topic",
        [
          JSON.Member(name: "topic", value: .string(String(name.prefix(64)))),
          JSON.Member(name: "topics", value: .array(server.core.topicNames.map(JSON.string))),
        ]
      )
      return false
    }
    guard mayHave(topic) else {
      sendError(
        "FORBIDDEN_TOPIC",
        caller == nil
          ? #"Authenticate first: send {"type":"auth","token":"…"}"#
          : AuthenticationError.missingScope(topic.scope).message,
        [JSON.Member(name: "topic", value: .string(name))]
      )
      return false
    }
    return true
  }

  private func authenticate(_ message: JSON) {
    guard let token = message["token"]?.asString, !token.isEmpty else {
      return sendError("VALIDATION_ERROR", "token must be a text, not empty")
    }
    server.prepareWriter()
    do throws(AuthenticationError) {
      guard isAllowedToTry() else {
        return sendError("RATE_LIMIT_EXCEEDED", "Too many attempts; try again later")
      }
      let known = try server.tokens.caller(
        bearer: Array(token.utf8).span,
        now: server.writer.unixTime
      )
      try server.core.authenticator.requireFactor(known)
      caller = known
      send([
        "type": "authenticated", "subject": .string(known.identity.subject),
        "scopes": .array(known.identity.scopes.map(JSON.string)), "timestamp": timestamp,
      ])
    } catch {
      sendError(error.code, error.message)
    }
  }

  /// Every attempt counts against the address, so that tokens cannot be guessed over one socket.
  private func isAllowedToTry() -> Bool {
    let key = RateKey.address(String(decoding: peer, as: UTF8.self))
    let decision = server.core.rates.window(for: key).take(
      server.core.tiers.fallback,
      now: server.loop.now
    )
    return decision.isAllowed
  }
}
