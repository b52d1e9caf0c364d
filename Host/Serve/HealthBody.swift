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
    let active = core.sockets.load(ordering: .relaxed)
    services.append(
      JSON.Member(
        name: "websocket",
        value: [
          "status": "running", "available": true, "active_connections": .integer(Int64(active)),
        ]
      )
    )
    let body: JSON = [
      "status": .string(summary.state.name),
      "timestamp": .string(Timestamp.text(nanoseconds: wall)),
      "services": .object(services),
      "version": .string(Version.text),
    ]
    bytes = body.bytes
    // A poller that looks at the status alone must see it when nothing works any more.
    status = summary.state == .unhealthy ? 503 : 200
  }
}
