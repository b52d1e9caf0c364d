internal import CGatewayPlugin

/// WebSocket topics, and events between plugins.
public struct Events: Sendable {
  let host: Host

  /// One event.
  public struct Event: Sendable, Equatable {
    /// The topic.
    public let topic: String
    /// Whose it is; empty for everyone's.
    public let subject: String
    /// A JSON object.
    public let payload: JSON
  }

  /// Whether this gateway has events.
  public var isAvailable: Bool { unsafe host.tables.events != nil }

  /// Declares a topic this plugin publishes.
  ///
  /// In `init` only.
  ///
  /// - Parameters:
  ///   - topic: `[a-z][a-z0-9_.]{0,63}`.
  ///   - scope: What a client needs besides identity; `nil` for nothing.
  ///   - isPublic: Whether clients without identity may have it.
  /// - Throws: What the gateway refused.
  public func declare(
    _ topic: String,
    scope: Scope? = nil,
    isPublic: Bool = false
  ) throws(HostRefusal) {
    let table = try unsafe table()
    let flags = isPublic ? GW_TOPIC_PUBLIC : 0
    let status = unsafe lend(topic) { topic in
      unsafe lend(scope?.name ?? "") { scope in
        unsafe table.pointee.declare(host.tables.context, topic, scope, flags)
      }
    }
    try HostRefusal.check(status, GW_EVENTS_1)
  }

  /// Sends an event to WebSocket clients and to plugins that subscribed; from any thread.
  ///
  /// - Parameters:
  ///   - topic: A declared topic.
  ///   - payload: A JSON object; clients see its members beside `type` and `timestamp`.
  ///   - subject: Whose connections get it; `nil` for all who may have the topic.
  /// - Throws: What the gateway refused.
  public func publish(
    _ topic: String,
    _ payload: JSON,
    to subject: String? = nil
  ) throws(HostRefusal) {
    let table = try unsafe table()
    let status = unsafe lend(topic) { topic in
      unsafe lend(subject ?? "") { subject in
        unsafe lend(payload) { payload in
          unsafe table.pointee.publish(host.tables.context, topic, subject, payload)
        }
      }
    }
    try HostRefusal.check(status, GW_EVENTS_1)
  }

  /// Calls `receive` on a worker for each event of `topic` from any plugin, in order.
  ///
  /// In `init` only.
  ///
  /// - Parameters:
  ///   - topic: Of any plugin.
  ///   - receive: What it throws is logged.
  /// - Throws: What the gateway refused.
  public func subscribe(
    _ topic: String,
    _ receive: @escaping @Sendable (Event) throws -> Void
  ) throws(HostRefusal) {
    let table = try unsafe table()
    let user = unsafe host.keep(Subscription(host: host, receive: receive))
    let status = unsafe lend(topic) {
      unsafe table.pointee.subscribe(host.tables.context, $0, received, user)
    }
    try HostRefusal.check(status, GW_EVENTS_1)
  }

  private func table() throws(HostRefusal) -> UnsafePointer<gw_events_v1> {
    guard host.isLive, let table = unsafe host.tables.events else {
      throw .unsupported(GW_EVENTS_1)
    }
    return unsafe table
  }
}

private final class Subscription: Registration {
  let host: Host
  let receive: @Sendable (Events.Event) throws -> Void

  init(host: Host, receive: @escaping @Sendable (Events.Event) throws -> Void) {
    self.host = host
    self.receive = receive
  }
}

private func received(
  user: UnsafeMutableRawPointer?,
  topic: gw_bytes,
  subject: gw_bytes,
  payload: gw_bytes
) {
  guard let user = unsafe user else { return }
  let subscription = unsafe Unmanaged<Subscription>.fromOpaque(user).takeUnretainedValue()
  do {
    let event = try unsafe Events.Event(
      topic: topic.string,
      subject: subject.string,
      payload: JSON.parse(payload.array)
    )
    try subscription.receive(event)
  } catch {
    let topic = unsafe topic.string
    subscription.host.log.error(
      "An event was not taken.",
      ["topic": topic, "why": sentence(error)]
    )
  }
}
