import Synchronization
import Wire

/// The rendered answer of `/health`, kept for a moment.
///
/// Checks run in the background, so a new rendering could say nothing that is younger than their
/// period; it is made at most every 50 ms, however often `/health` is asked.
struct HealthBody {
  private(set) var status: UInt16 = 200
  private(set) var bytes: [UInt8] = []
  private var nextRender = Int64.min
  private static let age: Int64 = 50_000_000

  /// Renders anew when the last rendering is too old.
  mutating func refresh(core: Core, now: Int64, wall: Int64) {
    guard now >= nextRender else { return }
    nextRender = now + Self.age
    let summary = core.health.summary(now: now)
    var services = summary.services.asMembers ?? []
    for index in services.indices {
      let reports = core.crashes.reports(of: services[index].name)
      guard let last = reports.last, let members = services[index].value.asMembers else { continue }
      let time = Timestamp.text(nanoseconds: last.time)
      services[index].value = .object(
        members + [
          JSON.Member(name: "crashes", value: .integer(Int64(reports.count))),
          JSON.Member(name: "last_crash", value: .string(time)),
        ]
      )
    }
    let active = core.sockets.load(ordering: .relaxed)
    services.append(
      JSON.Member(
        name: "websocket",
        value: [
          "status": "running", "available": true, "active_connections": .integer(Int64(active)),
        ]
      )
    )
    var body: [JSON.Member] = [
      .init(name: "status", value: .string(summary.state.name)),
      .init(name: "timestamp", value: .string(Timestamp.text(nanoseconds: wall))),
      .init(name: "services", value: .object(services)),
      .init(name: "version", value: .string(Version.text)),
    ]
    if summary.retired > 0 {
      body.append(
        .init(name: "retired_generations", value: .integer(Int64(summary.retired)))
      )
    }
    if !summary.tainted.isEmpty {
      body.append(.init(name: "tainted", value: .array(summary.tainted.map { .string($0) })))
    }
    bytes = JSON.object(body).bytes
    // A poller that looks at the status alone must see it when nothing works any more.
    status = summary.state == .unhealthy ? 503 : 200
  }
}
