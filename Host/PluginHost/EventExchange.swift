import CGatewayPlugin
import Synchronization

/// Takes events from plugins and hands each to the outlet and to the plugins that subscribed.
final class EventExchange: Sendable {
  private struct State {
    var topics: [String: TopicDeclaration] = [:]
    var subscriptions: [String: [Subscription]] = [:]
  }

  private let outlet: any EventOutlet
  private let state = Mutex(State())

  init(outlet: any EventOutlet) { self.outlet = outlet }

  /// All declared topics, in order of name.
  var topics: [TopicDeclaration] {
    state.withLock { $0.topics.values.sorted { $0.name < $1.name } }
  }

  /// Declares a topic; gives the id of the plugin that has it already, or `nil`.
  func declare(_ topic: TopicDeclaration) -> String? {
    state.withLock { state in
      if let other = state.topics[topic.name] { return other.plugin }
      state.topics[topic.name] = topic
      return nil
    }
  }

  /// Adds a subscription; the topic may be declared later.
  func subscribe(_ subscription: Subscription, to topic: String) {
    state.withLock { $0.subscriptions[topic, default: []].append(subscription) }
  }

  /// Forgets what a plugin declared and what the instance of `context` subscribed to.
  func remove(plugin: String, context: UInt64) {
    state.withLock { state in
      state.topics = state.topics.filter { $0.value.plugin != plugin }
      state.subscriptions = state.subscriptions.mapValues { all in
        all.filter { $0.context != context }
      }
    }
  }

  /// Hands an event on.
  ///
  /// - Parameters:
  ///   - event: Its payload is a JSON object.
  ///   - plugin: Who publishes.
  /// - Returns: `GW_E_ARGUMENT` when the plugin has not declared the topic, `GW_E_BUSY` when a subscriber, or a
  ///   loop of clients, is too far behind; nobody got the event then.
  func publish(_ event: Subscription.Event, from plugin: String) -> gw_status {
    // Under the lock to the end, so that all receivers see one order. Nothing in here calls into a plugin.
    state.withLock { state in
      guard state.topics[event.topic]?.plugin == plugin else { return GW_E_ARGUMENT }
      let receivers = state.subscriptions[event.topic] ?? []
      guard outlet.hasRoom, receivers.allSatisfy(\.hasRoom) else { return GW_E_BUSY }
      outlet.publish(topic: event.topic, subject: event.subject, payload: event.payload)
      for receiver in receivers { receiver.append(event) }
      return GW_OK
    }
  }
}

/// One plugin's subscription to one topic: its events wait here and are delivered one after the other.
@safe
final class Subscription: Sendable {
  struct Event: Sendable {
    let topic: String
    let subject: String
    let payload: [UInt8]
  }

  private struct State {
    var queue: [Event] = []
    var isDelivering = false
    var isOpen = false
  }

  /// Events that may wait for one subscriber.
  static let capacity = 1024

  let context: UInt64
  private let occupancy: Occupancy
  private let pool: WorkerPool
  private let callback: Callback<gw_event_fn>
  private let state = Mutex(State())

  init(
    context: UInt64,
    occupancy: Occupancy,
    pool: WorkerPool,
    callback: Callback<gw_event_fn>
  ) {
    self.context = context
    self.occupancy = occupancy
    self.pool = pool
    unsafe self.callback = unsafe callback
  }

  /// Delivers from here on; events from before are not kept.
  func open() { state.withLock { $0.isOpen = true } }

  /// Drops what waits and delivers no more.
  func close() {
    state.withLock { state in
      state.isOpen = false
      state.queue = []
    }
  }

  var hasRoom: Bool { state.withLock { $0.queue.count < Self.capacity } }

  func append(_ event: Event) {
    let starts = state.withLock { state in
      guard state.isOpen else { return false }
      state.queue.append(event)
      defer { state.isDelivering = true }
      return !state.isDelivering
    }
    if starts { pool.submitOwed { self.deliver() } }
  }

  private func deliver() {
    guard occupancy.enter(.event) else { return }
    defer { occupancy.leave(.event) }
    while true {
      let batch = state.withLock { state in
        defer { state.queue = [] }
        state.isDelivering = !state.queue.isEmpty
        return state.queue
      }
      if batch.isEmpty { return }
      for event in batch where state.withLock({ $0.isOpen }) { deliver(event) }
    }
  }

  private func deliver(_ event: Event) {
    unsafe withLent(event.topic) { topic in
      unsafe withLent(event.subject) { subject in
        unsafe withLent(event.payload) { payload in
          unsafe callback.function(callback.user, topic, subject, payload)
        }
      }
    }
  }
}
