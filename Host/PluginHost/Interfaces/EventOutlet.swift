/// Where published events leave the process: the WebSocket clients.
package protocol EventOutlet: Sendable {
  /// Whether an event more may be published; `false` while the clients' loops are too far behind.
  var hasRoom: Bool { get }

  /// Sends `payload`, a JSON object, to the clients that may have `topic`.
  ///
  /// An empty `subject` means all of them, otherwise only that subject's own. Returns at once, from any thread.
  func publish(topic: String, subject: String, payload: [UInt8])
}

/// A topic that a plugin publishes.
package struct TopicDeclaration: Sendable, Equatable {
  package var name: String
  /// The scope a client needs besides identity; empty: none.
  package var scope: String
  /// Whether clients without identity may have it.
  package var isPublic: Bool
  /// Id of the plugin that declared it.
  package var plugin: String

  package init(name: String, scope: String, isPublic: Bool, plugin: String) {
    self.name = name
    self.scope = scope
    self.isPublic = isPublic
    self.plugin = plugin
  }
}
