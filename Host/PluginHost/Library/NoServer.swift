package import CGatewayPlugin

/// Stands where the server would, while plugins are only checked: there are no requests to answer and no clients.
package final class NoServer: AnswerSink, EventOutlet {
  package init() {}

  package func reply(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    message: gw_bytes,
    data: gw_bytes,
    fields: UnsafeBufferPointer<gw_field>
  ) -> gw_status { GW_E_GONE }

  package func fail(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    code: gw_bytes,
    message: gw_bytes,
    details: gw_bytes,
    fields: UnsafeBufferPointer<gw_field>
  ) -> gw_status { GW_E_GONE }

  package func respond(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    fields: UnsafeBufferPointer<gw_field>,
    body: gw_buffer
  ) -> gw_status {
    unsafe body.giveBack()
    return GW_E_GONE
  }

  package func start(
    _ request: UInt64,
    owner: UInt64,
    status: UInt16,
    fields: UnsafeBufferPointer<gw_field>,
    length: UInt64
  ) -> gw_status { GW_E_GONE }

  package func write(_ request: UInt64, owner: UInt64, bytes: gw_buffer) -> gw_status {
    unsafe bytes.giveBack()
    return GW_E_GONE
  }

  package func finish(_ request: UInt64, owner: UInt64) -> gw_status { GW_E_GONE }
  package func abort(_ request: UInt64, owner: UInt64, reason: String) -> gw_status { GW_E_GONE }
  package func withRequestID(of request: UInt64, _ use: @escaping @Sendable (String?) -> Void) {
    use(nil)
  }
  package var hasRoom: Bool { true }
  package func publish(topic: String, subject: String, payload: [UInt8]) {}
}
