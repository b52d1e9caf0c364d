import Synchronization
import Wire

/// The WebSocket connections of one loop, and what is sent to many of them.
struct SocketHub {
  private var sockets: [UInt64: WebSocketConnection] = [:]

  mutating func add(_ socket: WebSocketConnection) { sockets[socket.token] = socket }

  mutating func remove(_ socket: WebSocketConnection) { sockets[socket.token] = nil }

  /// Every connection, in no order.
  var all: [WebSocketConnection] { Array(sockets.values) }
}

/// Sends published events to the WebSocket clients of all loops.
package final class EventPost: EventOutlet {
  private let ends: [ServerEnd]
  /// Bytes of events that may wait for one loop, and what each takes besides its members.
  private static let maxBytes = 4 * 1024 * 1024
  private static let eventBytes = 256

  package init(ends: [ServerEnd]) { self.ends = ends }

  package var hasRoom: Bool {
    ends.allSatisfy { $0.eventBytes.load(ordering: .relaxed) < Self.maxBytes }
  }

  package func publish(topic: String, subject: String, payload: [UInt8]) {
    // Between its braces, so that the members stand beside the host's own.
    guard let open = payload.firstIndex(of: UInt8(ascii: "{")),
      let close = payload.lastIndex(of: UInt8(ascii: "}")), open < close
    else { return }
    let members = Array(payload[(open + 1)..<close])
    let count = members.count + Self.eventBytes
    for end in ends {
      end.eventBytes.add(count, ordering: .relaxed)
      let isPosted = end.post { server in
        server.end.eventBytes.subtract(count, ordering: .relaxed)
        server.deliver(topic: topic, subject: subject, members: members)
      }
      if !isPosted { end.eventBytes.subtract(count, ordering: .relaxed) }
    }
  }
}

extension Server {
  /// Sends an event to each of this loop's clients that may have it and wants it.
  func deliver(topic: String, subject: String, members: [UInt8]) {
    guard let declaration = core.topic(topic) else { return }
    prepareWriter()
    let stamp = Timestamp.text(nanoseconds: writer.unixTime * 1_000_000_000)
    for socket in hub.all where socket.wants(declaration, subject: subject) {
      socket.sendEvent(topic, stamp: stamp, members: members)
    }
  }
}
