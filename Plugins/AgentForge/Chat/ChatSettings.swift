package import GatewayPlugin

/// What the operator has decided about answers.
package struct ChatSettings: Sendable, Equatable {
  /// Bytes of models that are kept in memory between answers.
  ///
  /// Default 512 MiB.
  package var cacheBytes = 512 << 20

  /// Answers that are made at once, streams included, for each of `/v1/chat`, the route of OpenAI's form and
  /// `forge.generate`.
  ///
  /// Default 3. More get 503. Both routes together should leave some of the gateway's threads for plugins
  /// (`LIMIT_POOL_THREAD_COUNT`, 8) free: every other request needs one too.
  package var answersAtOnce = 3

  /// Seconds an answer may take.
  ///
  /// Default 300. A longer one gets 504, a stream is cut.
  package var answerSeconds = 300

  package init() {}

  /// Reads the settings of this part.
  package init(_ fields: inout Fields) {
    cacheBytes = fields.integer("chat_cache_bytes", 0...(1 << 40), default: cacheBytes)
    answersAtOnce = fields.integer("chat_answers_at_once", 1...64, default: answersAtOnce)
    answerSeconds = fields.integer("chat_answer_seconds", 1...3600, default: answerSeconds)
  }

  /// Limits of a route that answers.
  var limits: Route.Limits {
    Route.Limits(maxBody: 1 << 20, maxInFlight: answersAtOnce, timeout: .seconds(answerSeconds))
  }
}
