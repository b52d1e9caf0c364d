import CGatewayPlugin
import Synchronization
import Wire

/// `gw.events/1`.
enum EventsInterface {
  // Unchecked: constant after it is made.
  nonisolated(unsafe) static let table = unsafe InterfaceDirectory.keep(
    gw_events_v1(
      declare: { context, topic, scope, flags in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          unsafe declare(instance, topic, scope: scope, flags: flags)
        }
      },
      publish: { context, topic, subject, payload in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          unsafe publish(instance, topic, subject: subject, payload)
        }
      },
      subscribe: { context, topic, event, user in
        ContextTable.with(context, gone: GW_E_GONE) { instance in
          guard let topic = unsafe topic.text, Names.isDotted(topic) else { return GW_E_ARGUMENT }
          let callback = unsafe Callback<gw_event_fn>(
            event,
            user: user,
            site: instance.site("topic \(topic)")
          )
          let subscription = unsafe Subscription(
            topic: topic,
            occupancy: instance.occupancy,
            pool: instance.host.pool,
            callback: callback,
            behind: { [library = instance.library] in unsafe library.eventsBehind(callback.user) }
          )
          return instance.declare { declared in
            guard declared.subscriptions.count < maxTopics else { return GW_E_LIMIT }
            declared.subscriptions.append(subscription)
            return GW_OK
          }
        }
      }
    )
  )

  /// Topics, and subscriptions, of one plugin.
  private static let maxTopics = 256
  /// Bytes of a subject.
  private static let subjectBytes = 256

  private static func declare(
    _ instance: PluginInstance,
    _ topic: gw_bytes,
    scope: gw_bytes,
    flags: UInt32
  ) -> gw_status {
    guard let name = unsafe topic.text, Names.isDotted(name), let scope = unsafe scope.text,
      scope.isEmpty || Names.isScope(scope)
    else {
      instance.setError("topic \(unsafe topic.text(cutAt: 64)): name or scope is malformed")
      return GW_E_ARGUMENT
    }
    let isPublic = flags & GW_TOPIC_PUBLIC != 0
    let topic = TopicDeclaration(
      name: name,
      scope: scope,
      isPublic: isPublic,
      plugin: instance.id
    )
    return instance.declare { declared in
      guard declared.topics.count < maxTopics else { return GW_E_LIMIT }
      guard instance.claim(.topic(name), "topic \(name)") else { return GW_E_ARGUMENT }
      declared.topics[name] = topic
      return GW_OK
    }
  }

  private static func publish(
    _ instance: PluginInstance,
    _ topic: gw_bytes,
    subject: gw_bytes,
    _ payload: gw_bytes
  ) -> gw_status {
    guard let topic = unsafe topic.text, let subject = unsafe subject.text,
      subject.utf8.count <= subjectBytes, unsafe !payload.isMalformed
    else { return GW_E_ARGUMENT }
    // What is published must fit into one WebSocket message.
    guard unsafe payload.count <= instance.host.limits.messageBytes else { return GW_E_LIMIT }
    let bytes = unsafe payload.copied
    guard case .object? = try? JSON.parse(bytes) else { return GW_E_ARGUMENT }
    guard instance.declared.withLock({ $0.topics[topic] != nil }) else { return GW_E_ARGUMENT }
    let event = Subscription.Event(topic: topic, subject: subject, payload: bytes)
    return instance.host.exchange.publish(event)
  }
}
