import CLinux
import Glibc
import Wire

/// What supervisor and serving process say to each other, one datagram a message.
enum ServingMessage: Equatable {
  /// The process takes requests; the files of plugins that it could not load, and which version of `SupervisorState` its
  /// program reads.
  case serving(failed: [String], stateVersion: Int)
  /// The process cannot start, and why.
  case failed(String)
  /// The process has ended everything and is about to exit.
  case stopped
  /// The operator wants a plugin that was left out; its crashes are forgotten.
  case forgive(plugin: String)
  /// From the supervisor: another process serves now.
  case retire
  /// From the supervisor: the counts have changed.
  case counted(CrashCounts)
  /// From the supervisor: it was sent a signal that is for the serving process.
  case signal(CInt)

  /// Bytes of one message.
  private static let maxBytes = 64 * 1024

  init?(_ bytes: [UInt8]) {
    guard let json = try? JSON.parse(bytes), let kind = json["kind"]?.asString else { return nil }
    switch kind {
    case "serving":
      self = .serving(
        failed: json["failed"]?.asArray?.compactMap(\.asString) ?? [],
        stateVersion: Int(json["state_version"]?.asInteger ?? 0)
      )
    case "failed": self = .failed(json["reason"]?.asString ?? "")
    case "stopped": self = .stopped
    case "forgive": self = .forgive(plugin: json["plugin"]?.asString ?? "")
    case "retire": self = .retire
    case "counted":
      guard let counts = CrashCounts(json["counts"]) else { return nil }
      self = .counted(counts)
    case "signal":
      guard let number = ServingOrder.number(json["number"]) else { return nil }
      self = .signal(number)
    default: return nil
    }
  }

  var bytes: [UInt8] {
    let json: JSON =
      switch self {
      case .serving(let failed, let stateVersion):
        [
          "kind": "serving", "failed": .array(failed.map(JSON.string)),
          "state_version": .integer(Int64(stateVersion)),
        ]
      case .failed(let reason): ["kind": "failed", "reason": .string(reason)]
      case .stopped: ["kind": "stopped"]
      case .forgive(let plugin): ["kind": "forgive", "plugin": .string(plugin)]
      case .retire: ["kind": "retire"]
      case .counted(let counts): ["kind": "counted", "counts": counts.json]
      case .signal(let number): ["kind": "signal", "number": .integer(Int64(number))]
      }
    return json.bytes
  }

  /// Sends the message; whether it could be.
  @discardableResult
  func send(on channel: CInt) -> Bool {
    let bytes = bytes
    return unsafe bytes.withUnsafeBytes { message in
      guard let start = message.baseAddress else { return false }
      return unsafe linux_send(channel, start, message.count) == message.count
    }
  }

  /// What came out of a channel.
  enum Received {
    case message(ServingMessage)
    /// Nothing more waits, or it was not understood.
    case nothing
    /// The other process has ended.
    case end
  }

  /// Takes one message out of a channel that never waits.
  static func receive(on channel: CInt) -> Received {
    var room = [UInt8](repeating: 0, count: maxBytes)
    let count = unsafe linux_read(channel, &room, room.count)
    if count == -Int(EAGAIN) || count == -Int(EINTR) { return .nothing }
    guard count > 0 else { return .end }
    return ServingMessage(Array(room[..<count])).map(Received.message) ?? .nothing
  }
}
