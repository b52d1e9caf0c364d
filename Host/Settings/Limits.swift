/// Every number that bounds what a client, or a plugin, may make the host hold.
///
/// Each has a variable of the same meaning in the environment; see `SettingsTable`.
package struct Limits: Sendable, Equatable {
  /// Bytes of request line and header fields together.
  ///
  /// Default 16 KiB. A longer head gets 431 and the connection is closed.
  package var headBytes = 16 * 1024

  /// Header fields of one request.
  ///
  /// Default 100. More get 431 and the connection is closed.
  package var headFields = 100

  /// Bytes of a request body, where the route names no limit of its own.
  ///
  /// Default 1 MiB. A larger body gets 413.
  package var bodyBytes = 1024 * 1024

  /// How long a client may take over one head, from its first byte (or from connecting).
  ///
  /// Default 10 s. A slower client gets 408 and is disconnected.
  package var headTime: Duration = .seconds(10)

  /// Bytes a second a body must bring on average, measured after a grace of 5 s.
  ///
  /// Default 500. A slower client gets 408 and is disconnected. 0 switches the check off.
  package var bodyBytesPerSecond = 500

  /// How long a connection may stay silent between requests.
  ///
  /// Default 75 s. Then it is closed without an answer.
  package var idleTime: Duration = .seconds(75)

  /// How long a client may refuse to take any byte of an answer.
  ///
  /// Default 30 s. Then the connection is cut.
  package var writeStallTime: Duration = .seconds(30)

  /// Open connections of the whole process.
  ///
  /// Default 20,000. Further ones are closed as they are accepted.
  package var connections = 20_000

  /// Open connections from one address.
  ///
  /// Default 256. Further ones get 503 and are closed. 0 switches the check off.
  package var connectionsPerAddress = 256

  /// How long a plugin may take to begin its answer, where the route names no time of its own.
  ///
  /// Default 60 s. Then the client gets 504 and the plugin a cancel.
  package var answerTime: Duration = .seconds(60)

  /// Requests of one route under way at once, where the route names no number of its own.
  ///
  /// Default 1,024. More get 503 with `Retry-After`.
  package var requestsPerRoute = 1024

  /// Bytes of one streamed answer that may wait for the client before the plugin is asked to wait.
  ///
  /// Default 256 KiB.
  package var streamBytes = 256 * 1024

  /// Bytes of one WebSocket message, all its fragments together.
  ///
  /// Default 64 KiB. A longer one closes the connection with 1009.
  package var messageBytes = 64 * 1024

  /// Bytes that may wait for one WebSocket client.
  ///
  /// Default 1 MiB. A client that reads slower is closed with 1013.
  package var socketQueueBytes = 1024 * 1024

  /// Silence after which a WebSocket client is pinged; after as much again it is closed.
  ///
  /// Default 30 s.
  package var pingTime: Duration = .seconds(30)

  /// Topics one WebSocket connection may subscribe to.
  ///
  /// Default 64. A further one gets an error message.
  package var topicsPerConnection = 64

  /// Threads of the pool that runs plugin handlers.
  ///
  /// Default 8.
  package var poolThreads = 8

  /// Calls that may wait for a pool thread.
  ///
  /// Default 1,024. Further requests get 503 with `Retry-After`.
  package var poolQueue = 1024

  /// Long-running jobs of one plugin at once.
  ///
  /// Default 16.
  package var jobsPerPlugin = 16

  /// How long an inline handler may keep its loop before the watchdog counts an overrun.
  ///
  /// Default 5 ms.
  package var inlineTime: Duration = .milliseconds(5)

  /// Overruns of one inline route within a minute after which it runs on the pool.
  ///
  /// Default 10. 0 leaves it on the loop.
  package var inlineOverruns = 10

  /// How long the loop of an isolated plugin's process may be silent before the process is ended and begun again.
  ///
  /// Default 10 s.
  package var processSilence: Duration = .seconds(10)

  /// Bytes of a bearer token or API key.
  ///
  /// Default 4 KiB. A longer one is refused with 401 without being looked at.
  package var credentialBytes = 4096

  /// Callers the rate limiter remembers; beyond, the ones idle longest are forgotten first.
  ///
  /// Default 100,000.
  package var rateCallers = 100_000

  /// How long `/health/ready` says 503 before the listener closes, when the process is told to stop.
  ///
  /// Default 1 s.
  package var drainNotice: Duration = .seconds(1)

  /// How long requests under way may take to finish after that.
  ///
  /// Default 30 s. Then they are cancelled.
  package var drainTime: Duration = .seconds(30)

  /// How long a replaced generation is kept, to be gone back to when the new one is worse.
  ///
  /// Default 10 s. 0 keeps none.
  package var probation: Duration = .seconds(10)

  /// By how many points of a hundred the new generation may fail more of its requests than the one before.
  ///
  /// Default 10.
  package var probationErrorPercent = 10

  /// How long requests of a plugin wait, at the most, for those under way when its state is handed over.
  ///
  /// Default 250 ms. What longer ones change afterwards is not in the state.
  package var hold: Duration = .milliseconds(250)

  /// How long a plugin's snapshot and restore may each take; its requests wait meanwhile.
  ///
  /// Default 10 s. Then the change is given up and the old generation serves on.
  package var handover: Duration = .seconds(10)

  /// Ended generations whose code may stay mapped.
  ///
  /// Default 32. Beyond, a change that would add one is refused.
  package var retiredGenerations = 32

  /// Crashes of one plugin within `crashWindow` after which it is left out.
  ///
  /// Default 3.
  package var crashes = 3

  /// How far back crashes of a plugin are counted.
  ///
  /// Default 10 minutes.
  package var crashWindow: Duration = .seconds(600)

  /// How long one turn of an event loop may take.
  ///
  /// Default 60 s. Then the supervisor ends the serving process and starts another. 0 switches the check off.
  package var hangTime: Duration = .seconds(60)

  /// How long a new serving process may take until it serves, when the gateway is upgraded.
  ///
  /// Default 60 s. Then it is ended, and the old one serves on.
  package var upgradeTime: Duration = .seconds(60)

  package init() {}
}
