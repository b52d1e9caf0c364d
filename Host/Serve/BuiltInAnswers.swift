import CLinux
import Synchronization
import Wire

/// What the host answers itself.
extension HTTPConnection {
  func answer(
    _ builtIn: BuiltIn,
    _ exchange: Exchange,
    _ bytes: UnsafeBufferPointer<UInt8>,
    _ caller: Caller?
  ) {
    decideReuse(exchange)
    switch builtIn {
    case .index: answerIndex(exchange)
    case .health: answerHealth(exchange)
    case .live: answerState(exchange, isGood: true, good: "alive", bad: "")
    case .ready:
      let core = server.core
      let isReady =
        core.isReady.load(ordering: .relaxed) && !core.isDraining.load(ordering: .relaxed)
      answerState(exchange, isGood: isReady, good: "ready", bad: "not ready")
    case .metrics:
      server.writer.plain(
        exchange,
        status: 200,
        type: "text/plain; version=0.0.4; charset=utf-8",
        server.core.renderMetrics(server.desk.traffic)
      )
    case .openAPI:
      server.writer.plain(
        exchange,
        status: 200,
        type: ResponseWriter.json,
        server.currentRoutes().openAPI
      )
    case .webSocket:
      unsafe upgrade(exchange, bytes, caller)
      return
    }
    finish(exchange)
  }

  private func answerIndex(_ exchange: Exchange) {
    let routes = server.currentRoutes().pluginRoutes
    var endpoints = BuiltIn.allCases.flatMap { $0.paths.map { "GET \($0)" } }
    endpoints += routes.map(\.name)
    // The administration is the gateway's own, not a service of it.
    let features = Set(routes.map(\.instance.id)).subtracting([PluginAdministration.name]).sorted()
    let data: JSON = [
      "service": "AIVillage Unified API Gateway",
      "version": .string(Version.text),
      "status": .string(
        server.core.isDraining.load(ordering: .relaxed) ? "draining" : "operational"
      ),
      "features": .array(features.map(JSON.string)),
      "endpoints": .array(endpoints.map(JSON.string)),
    ]
    unsafe data.bytes.withUnsafeBytes { data in
      unsafe server.writer.success(
        exchange,
        status: 200,
        message: UnsafeRawBufferPointer(start: nil, count: 0),
        data: data,
        fields: RenderedFields()
      )
    }
  }

  private func answerHealth(_ exchange: Exchange) {
    server.health.refresh(core: server.core, now: now, wall: linux_realtime())
    server.writer.plain(
      exchange,
      status: server.health.status,
      type: ResponseWriter.json,
      server.health.bytes
    )
  }

  private func answerState(_ exchange: Exchange, isGood: Bool, good: String, bad: String) {
    server.writer.plain(
      exchange,
      status: isGood ? 200 : 503,
      type: ResponseWriter.json,
      Array(#"{"status":"\#(isGood ? good : bad)"}"#.utf8)
    )
  }
}
