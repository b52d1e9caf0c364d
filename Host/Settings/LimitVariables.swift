/// The variables of `Limits`: one for each of its numbers, with what is allowed.
enum LimitVariables {
  static let all = connection + plugins + sockets + policy + supervision

  private static let connection: [SettingsVariable] = [
    .limit(
      "LIMIT_HEAD_BYTES",
      \.headBytes,
      1024...1_048_576,
      "Bytes of request line and header fields together; more get 431."
    ),
    .limit(
      "LIMIT_HEAD_FIELD_COUNT",
      \.headFields,
      8...1000,
      "Header fields of one request; more get 431."
    ),
    .limit(
      "LIMIT_BODY_BYTES",
      \.bodyBytes,
      1024...1_073_741_824,
      "Bytes of a request body where the route names no limit; more get 413."
    ),
    .limit(
      "LIMIT_HEAD_SECONDS",
      \.headTime,
      milliseconds: 100...3_600_000,
      "Time a client may take over one head; a slower one gets 408."
    ),
    .limit(
      "LIMIT_BODY_BYTES_PER_SECOND",
      \.bodyBytesPerSecond,
      0...1_000_000_000,
      "Average speed a body must keep after 5 s; a slower client gets 408. 0 is off."
    ),
    .limit(
      "LIMIT_IDLE_SECONDS",
      \.idleTime,
      milliseconds: 100...86_400_000,
      "Silence between requests after which a connection is closed."
    ),
    .limit(
      "LIMIT_WRITE_STALL_SECONDS",
      \.writeStallTime,
      milliseconds: 100...3_600_000,
      "Time a client may take no byte of an answer before it is cut off."
    ),
    .limit(
      "LIMIT_CONNECTION_COUNT",
      \.connections,
      1...1_000_000,
      "Open connections of the process; further ones are closed."
    ),
    .limit(
      "LIMIT_CONNECTIONS_PER_ADDRESS_COUNT",
      \.connectionsPerAddress,
      0...1_000_000,
      "Open connections from one address; further ones get 503. 0 is off."
    ),
    .limit(
      "LIMIT_DRAIN_NOTICE_SECONDS",
      \.drainNotice,
      milliseconds: 0...600_000,
      "Time `/health/ready` says 503 before the listener closes, when told to stop."
    ),
    .limit(
      "LIMIT_DRAIN_SECONDS",
      \.drainTime,
      milliseconds: 0...3_600_000,
      "Time requests under way have to finish after that."
    ),
  ]

  private static let plugins: [SettingsVariable] = [
    .limit(
      "LIMIT_PROBATION_SECONDS",
      \.probation,
      milliseconds: 0...3_600_000,
      "Time a replaced generation of a plugin is kept, to go back to it when the new one is worse. 0 is off."
    ),
    .limit(
      "LIMIT_PROBATION_ERROR_PERCENT",
      \.probationErrorPercent,
      1...100,
      "Points by which the new generation may fail more of its requests than the one before."
    ),
    .limit(
      "LIMIT_HOLD_SECONDS",
      \.hold,
      milliseconds: 0...60_000,
      "Time new requests wait, at the most, for those under way while a plugin's state is handed over."
    ),
    .limit(
      "LIMIT_HANDOVER_SECONDS",
      \.handover,
      milliseconds: 100...600_000,
      "Time a plugin may take to give its state, and again to take it; its requests wait meanwhile."
    ),
    .limit(
      "LIMIT_RETIRED_COUNT",
      \.retiredGenerations,
      1...10_000,
      "Ended generations whose code may stay mapped; a change that would add one more is refused."
    ),
    .limit(
      "LIMIT_ANSWER_SECONDS",
      \.answerTime,
      milliseconds: 10...86_400_000,
      "Time a plugin has to begin its answer where the route names none; then 504."
    ),
    .limit(
      "LIMIT_REQUESTS_PER_ROUTE_COUNT",
      \.requestsPerRoute,
      1...1_000_000,
      "Requests of one route under way where the route names no number; more get 503."
    ),
    .limit(
      "LIMIT_STREAM_BYTES",
      \.streamBytes,
      4096...1_073_741_824,
      "Bytes of one streamed answer that wait for the client before the plugin must wait."
    ),
    .limit(
      "LIMIT_POOL_THREAD_COUNT",
      \.poolThreads,
      1...256,
      "Threads that run plugin handlers; as many more serve calls between plugins."
    ),
    .limit(
      "LIMIT_POOL_QUEUE_COUNT",
      \.poolQueue,
      1...1_000_000,
      "Calls that may wait for such a thread; more get 503."
    ),
    .limit(
      "LIMIT_JOBS_PER_PLUGIN_COUNT",
      \.jobsPerPlugin,
      1...1024,
      "Long-running jobs of one plugin at once."
    ),
    .limit(
      "LIMIT_INLINE_SECONDS",
      \.inlineTime,
      milliseconds: 1...10_000,
      "Time an inline handler may hold its loop before an overrun is counted."
    ),
    .limit(
      "LIMIT_INLINE_OVERRUN_COUNT",
      \.inlineOverruns,
      0...1_000_000,
      "Overruns of one inline route within a minute after which it runs on the pool. 0 is off."
    ),
    .limit(
      "LIMIT_PROCESS_SILENCE_SECONDS",
      \.processSilence,
      milliseconds: 500...600_000,
      "Silence of an isolated plugin's process after which it is ended and begun again."
    ),
  ]

  private static let sockets: [SettingsVariable] = [
    .limit(
      "LIMIT_MESSAGE_BYTES",
      \.messageBytes,
      125...67_108_864,
      "Bytes of one WebSocket message; a longer one closes with 1009."
    ),
    .limit(
      "LIMIT_SOCKET_QUEUE_BYTES",
      \.socketQueueBytes,
      4096...1_073_741_824,
      "Bytes that may wait for one WebSocket client; a slower reader is closed with 1013."
    ),
    .limit(
      "LIMIT_PING_SECONDS",
      \.pingTime,
      milliseconds: 100...3_600_000,
      "Silence after which a WebSocket client is pinged; after as much again it is closed."
    ),
    .limit(
      "LIMIT_TOPICS_PER_CONNECTION_COUNT",
      \.topicsPerConnection,
      1...10_000,
      "Topics one WebSocket connection may subscribe to."
    ),
  ]

  private static let policy: [SettingsVariable] = [
    .limit(
      "LIMIT_CREDENTIAL_BYTES",
      \.credentialBytes,
      256...65_536,
      "Bytes of a bearer token or API key; a longer one gets 401 unread."
    ),
    .limit(
      "LIMIT_RATE_CALLER_COUNT",
      \.rateCallers,
      1...10_000_000,
      "Callers the rate limiter remembers; the one idle longest is forgotten first."
    ),
  ]

  private static let supervision: [SettingsVariable] = [
    .limit(
      "LIMIT_CRASHES_COUNT",
      \.crashes,
      1...CrashJournal.capacity,
      "Crashes of one plugin in the gateway's process after which `CRASH_POLICY` applies."
    ),
    .limit(
      "LIMIT_CRASH_WINDOW_SECONDS",
      \.crashWindow,
      milliseconds: 1_000...86_400_000,
      "How far back those crashes are counted."
    ),
    .limit(
      "LIMIT_HANG_SECONDS",
      \.hangTime,
      milliseconds: 0...86_400_000,
      "Time an event loop may stand before the serving process is ended and begun again; at least 1 and more than "
        + "`LIMIT_INLINE_SECONDS`. 0 is off."
    ),
    .limit(
      "LIMIT_UPGRADE_SECONDS",
      \.upgradeTime,
      milliseconds: 1_000...3_600_000,
      "Time the new serving process has to serve at `gateway upgrade`; then the old one goes on."
    ),
  ]
}
