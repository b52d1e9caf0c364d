import CGatewayPlugin
import Synchronization

/// Takes events from plugins and hands each to the outlet and to the plugins that subscribed.
final class EventExchange: Sendable {
  private struct State {
    /// Topics of the serving generation of each plugin.
    var topics: [String: [TopicDeclaration]] = [:]
    /// Subscriptions of the serving generation of each plugin.
    var subscriptions: [String: [Subscription]] = [:]
  }

  private let outlet: any EventOutlet
  private let state = Mutex(State())

  init(outlet: any EventOutlet) { self.outlet = outlet }

  /// The topics of all plugins that serve, in order of name.
  var topics: [TopicDeclaration] {
    state.withLock { $0.topics.values.joined().sorted { $0.name < $1.name } }
  }

  /// Gives a plugin's topics and subscriptions to a generation of it; the one before gets no event any more.
  ///
  /// Each event goes to exactly one of the two: what was published before is delivered by the old one's subscriptions.
  func expose(_ topics: [TopicDeclaration], _ subscriptions: [Subscription], of plugin: String) {
    state.withLock { state in
      for old in state.subscriptions[plugin] ?? [] { old.seal() }
      for new in subscriptions { new.open() }
      state.topics[plugin] = topics
      state.subscriptions[plugin] = subscriptions
    }
  }

  /// Forgets what `plugin` declared.
  func remove(plugin: String) {
    state.withLock { state in
      state.topics[plugin] = nil
      state.subscriptions[plugin] = nil
    }
  }

  /// Hands an event on.
  ///
  /// - Parameter event: Of a topic that its publisher declared; its payload is a JSON object.
  /// - Returns: `GW_E_BUSY` when a subscriber, or a loop of clients, is too far behind; nobody got the event then.
  func publish(_ event: Subscription.Event) -> gw_status {
    // Under the lock to the end, so that all receivers see one order. Nothing in here calls into a plugin.
    state.withLock { state in
      let receivers = state.subscriptions.values.joined().filter { $0.topic == event.topic }
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
    /// Takes new events.
    var isOpen = false
    /// Delivers what it has taken.
    var isDropping = false
  }

  /// Events that may wait for one subscriber.
  static let capacity = 1024

  let topic: String
  private let occupancy: Occupancy
  private let pool: WorkerPool
  private let callback: Callback<gw_event_fn>
  private let behind: @Sendable () -> Int
  private let state = Mutex(State())

  /// - Parameters:
  ///   - topic: Of the events.
  ///   - occupancy: Of the plugin.
  ///   - pool: Delivers.
  ///   - callback: The plugin's.
  ///   - behind: Events that the callback was given and that the plugin has not taken yet.
  init(
    topic: String,
    occupancy: Occupancy,
    pool: WorkerPool,
    callback: Callback<gw_event_fn>,
    behind: @escaping @Sendable () -> Int = { 0 }
  ) {
    self.behind = behind
    self.topic = topic
    self.occupancy = occupancy
    self.pool = pool
    unsafe self.callback = unsafe callback
  }

  /// Delivers from here on; events from before are not kept.
  func open() { state.withLock { $0.isOpen = true } }

  /// Takes no event any more; what waits is still delivered.
  func seal() { state.withLock { $0.isOpen = false } }

  /// Drops what waits and delivers no more.
  func close() {
    state.withLock { state in
      state.isOpen = false
      state.isDropping = true
      state.queue = []
    }
  }

  var hasRoom: Bool { state.withLock { $0.queue.count } + behind() < Self.capacity }

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
      for event in batch where state.withLock({ !$0.isDropping }) { deliver(event) }
    }
  }

  private func deliver(_ event: Event) {
    unsafe withLent(event.topic) { topic in
      unsafe withLent(event.subject) { subject in
        unsafe withLent(event.payload) { payload in
          unsafe callback.within(.event) {
            unsafe callback.function(callback.user, topic, subject, payload)
          }
        }
      }
    }
  }
}
