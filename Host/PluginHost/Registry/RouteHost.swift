/// Whoever serves the plugins' routes, as the registry sees it.
///
/// All of it may be called from any thread but a loop's, and blocks until every loop has followed.
package protocol RouteHost: AnyObject, Sendable {
  /// Serves these routes and topics and no others from now on, all changed at once.
  ///
  /// Requests under way keep the route they began with. When this returns, no request begins on any other route, so
  /// that a route's `inFlight` can only fall.
  func publish(_ routes: [PluginRoute], topics: [TopicDeclaration])

  /// Lets no new request begin at `plugin`; they wait, unread, with their connections.
  ///
  /// When this returns, no loop begins one.
  func hold(_ plugin: String)

  /// Cancels the requests that the generation of `context` has not ended; streamed answers are cut.
  func cancel(_ context: UInt64)

  /// Lets those that wait go on, along the routes published last.
  func release(_ plugin: String)
}
