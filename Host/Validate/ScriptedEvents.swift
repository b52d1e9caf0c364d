import CGatewayPlugin
import Wire

/// The scripted host's tables of events and services.
enum ScriptedEvents {
  // Unchecked, here and below: constant after it is made.
  nonisolated(unsafe) static let events = unsafe InterfaceDirectory.keep(
    gw_events_v1(
      declare: { context, topic, scope, _ in
        ScriptedHost.with(context, "events->declare", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "events->declare") { return status }
          guard let topic = unsafe topic.text, Names.isDotted(topic), let scope = unsafe scope.text,
            scope.isEmpty || Names.isScope(scope)
          else {
            host.breach("events->declare got a malformed topic or scope.")
            return GW_E_ARGUMENT
          }
          return host.declare { $0.topics.insert(topic) }
        }
      },
      publish: { context, topic, subject, payload in
        ScriptedHost.with(context, "events->publish", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "events->publish") { return status }
          return unsafe publish(host, topic.text ?? "", payload.copied)
        }
      },
      subscribe: { context, topic, event, user in
        ScriptedHost.with(context, "events->subscribe", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "events->subscribe") { return status }
          guard let topic = unsafe topic.text, Names.isDotted(topic) else {
            host.breach("events->subscribe got a malformed topic.")
            return GW_E_ARGUMENT
          }
          let deliver = unsafe delivery(Callback(event, user: user))
          return host.declare { $0.subscriptions.append((topic: topic, event: deliver)) }
        }
      }
    )
  )

  private static func delivery(
    _ event: Callback<gw_event_fn>
  ) -> @Sendable (String, [UInt8]) -> Void {
    { topic, payload in
      unsafe withLent(topic) { topic in
        unsafe withLent(payload) { payload in
          unsafe event.function(event.user, topic, .empty, payload)
        }
      }
    }
  }

  private static func service(
    _ serve: Callback<gw_serve_fn>
  ) -> @Sendable ([UInt8], [UInt8], gw_operation) -> Void {
    { method, argument, answer in
      unsafe withLent(method) { method in
        unsafe withLent(argument) { argument in
          unsafe withLent("validator") { caller in
            var call = unsafe gw_call_v1(
              method: method,
              argument: argument,
              subject: .empty,
              caller: caller
            )
            unsafe serve.function(serve.user, &call, answer)
          }
        }
      }
    }
  }

  private static func publish(
    _ host: ScriptedHost,
    _ topic: String,
    _ payload: [UInt8]
  ) -> gw_status {
    guard host.state.withLock({ $0.topics.contains(topic) }) else {
      host.breach("events->publish: the topic \(topic.debugDescription) was not declared.")
      return GW_E_ARGUMENT
    }
    guard payload.count <= Limits().messageBytes else { return GW_E_LIMIT }
    guard let members = (try? JSON.parse(payload))?.asMembers else {
      host.breach("events->publish on \(topic): the payload is not a JSON object.")
      return GW_E_ARGUMENT
    }
    for member in members where ["type", "timestamp", "sequence"].contains(member.name) {
      host.breach("events->publish on \(topic): the member \"\(member.name)\" is the host's own.")
    }
    return GW_OK
  }

  nonisolated(unsafe) static let services = unsafe InterfaceDirectory.keep(
    gw_services_v1(
      serve: { context, name, serve, user in
        ScriptedHost.with(context, "services->serve", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "services->serve") { return status }
          guard let name = unsafe name.text, Names.isDotted(name) else {
            host.breach("services->serve got a malformed name.")
            return GW_E_ARGUMENT
          }
          let call = unsafe service(Callback(serve, user: user))
          return host.declare { $0.services.append((name: name, serve: call)) }
        }
      },
      // Nobody else is loaded here.
      call: { context, name, _, _, _, _ in
        ScriptedHost.with(context, "services->call", gone: GW_E_GONE) { host in
          if let status = host.refusal(of: "services->call") { return status }
          guard let name = unsafe name.text, Names.isDotted(name) else {
            host.breach("services->call got a malformed name.")
            return GW_E_ARGUMENT
          }
          return GW_E_NOT_FOUND
        }
      }
    )
  )
}
