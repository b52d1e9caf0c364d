package import CGatewayPlugin
package import Synchronization

/// One route that a plugin declared, with its counters.
///
/// Whoever runs a request of it raises `inFlight` before the handler's `request` and lowers it after `end` has
/// returned: a generation is not destroyed while one of its routes counts above zero.
// Sendable although it holds pointers: all but the atomics is constant after `init`, `handler` is a table of
// functions that the contract lets run on any host thread, and `user` is only ever passed back to them. Both stay
// valid until the plugin's destroy, which waits for `inFlight`.
@safe
package final class PluginRoute: @unchecked Sendable {
  package let method: String
  package let pattern: PathPattern
  /// The segments that are parameters, by position.
  package let parameters: [(segment: Int, name: String)]
  /// The scope a caller needs; empty on a public route.
  package let scope: String
  package let isPublic: Bool
  /// Whether the plugin declared it as inline; see `runsInline`.
  package let isInline: Bool
  package let isStreaming: Bool
  /// Requests under way at once; 0 leaves it to the host's default.
  package let maxInFlight: Int
  /// Bytes of a request's body; 0 leaves it to the host's default.
  package let maxBody: UInt64
  /// How long the answer may take to begin; `nil` leaves it to the host's default.
  package let timeout: Duration?
  /// The same in nanoseconds, where it is needed for each request.
  package let timeoutNanoseconds: Int64?
  /// An OpenAPI Operation Object, or empty.
  package let operation: [UInt8]
  package let handler: gw_http_handler_v1
  package let user: UnsafeMutableRawPointer?
  /// The generation the route belongs to; holding the route keeps it.
  package let instance: PluginInstance
  /// What a crash in its code is named after.
  let site: CodeSite

  package let inFlight = Atomic<Int>(0)
  /// Times an inline handler kept its loop for too long.
  package let overruns = Atomic<Int>(0)
  package let requests = Atomic<Int>(0)
  private let hasMoved = Atomic<Bool>(false)
  /// Overruns of the minute that began at `minuteBegan`, on the monotonic clock.
  private let recentOverruns = Atomic<Int>(0)
  private let minuteBegan = Atomic<Int64>(0)

  package init(
    method: String,
    pattern: PathPattern,
    declared: RouteTerms,
    handler: gw_http_handler_v1,
    user: UnsafeMutableRawPointer?,
    instance: PluginInstance
  ) {
    self.method = method
    self.pattern = pattern
    parameters = pattern.segments.enumerated().compactMap { index, segment in
      if case .parameter(let name) = segment { (index, name) } else { nil }
    }
    scope = declared.scope
    isPublic = declared.isPublic
    isInline = declared.isInline
    isStreaming = declared.isStreaming
    maxInFlight = declared.maxInFlight
    maxBody = declared.maxBody
    timeout = declared.timeout
    timeoutNanoseconds = declared.timeout?.nanoseconds
    operation = declared.operation
    self.handler = handler
    unsafe self.user = user
    self.instance = instance
    site = CodeSite(
      plugin: instance.id,
      generation: instance.generation,
      label: "\(method) \(pattern.text)"
    )
  }

  /// Whether its handler runs on the loop; a route that keeps its loop too often is moved to the pool for good.
  package var runsInline: Bool { isInline && !hasMoved.load(ordering: .relaxed) }

  /// Counts an overrun of the inline handler.
  ///
  /// - Parameters:
  ///   - now: Nanoseconds of the monotonic clock.
  ///   - limit: Overruns within a minute at which the route is moved; 0 never moves it.
  /// - Returns: Whether this one moved it.
  package func noteOverrun(now: Int64, limit: Int) -> Bool {
    guard limit > 0 else { return false }
    let began = minuteBegan.load(ordering: .relaxed)
    if now - began > 60_000_000_000 {
      // Loops that race here begin the minute twice, which loses a count or two and nothing else.
      minuteBegan.store(now, ordering: .relaxed)
      recentOverruns.store(0, ordering: .relaxed)
    }
    guard recentOverruns.add(1, ordering: .relaxed).newValue >= limit else { return false }
    return !hasMoved.exchange(true, ordering: .relaxed)
  }

  /// Method and pattern, as they are shown to people.
  package var name: String { "\(method) \(pattern.text)" }
}

/// What a route demands of its callers and allows them.
package struct RouteTerms: Sendable, Equatable {
  package var scope = ""
  package var isPublic = false
  package var isInline = false
  package var isStreaming = false
  package var maxInFlight = 0
  package var maxBody: UInt64 = 0
  package var timeout: Duration?
  package var operation: [UInt8] = []

  package init() {}
}
