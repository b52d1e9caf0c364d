/// What a peer's network looked like a moment ago; counted and measured, never assumed.
package struct NetworkStatus: Sendable {
  /// One known peer.
  package struct Peer: Sendable, Equatable {
    package var record: PeerRecord
    /// As membership has it: `alive`, `suspect`, `dead`, `left`, or `unknown` before it was ever met.
    package var state: String
    /// Seconds since that state began; `nil` before it was ever met.
    package var stateSeconds: Int?
    /// Datagrams go to it without a relay.
    package var hasSession: Bool
    /// It has a link of the overlay.
    package var hasLink: Bool
    /// Smoothed round trip of datagram probes, in microseconds.
    package var latencyMicroseconds: Int?
    /// Probes without an answer, 0 to 1; `nil` while none was sent.
    package var loss: Double?
    /// Smoothed round trip of the link, in microseconds.
    package var linkLatencyMicroseconds: Int?
  }

  /// A number and its name, as `messages_sent`.
  package struct Count: Sendable, Equatable {
    package var name: String
    package var value: UInt64

    package init(_ name: String, _ value: UInt64) {
      self.name = name
      self.value = value
    }
  }

  package var isRunning = false
  /// Where datagrams and links are received.
  package var local: Endpoint?
  /// As other peers are told.
  package var advertised: Endpoint?
  /// Milliseconds since 1970.
  package var startedAt: UInt64 = 0
  package var peers: [Peer] = []
  /// Circuits that this peer has built, and those that it relays or ends.
  package var activeCircuits = 0
  package var relayedCircuits = 0
  /// Of datagrams and the mesh.
  package var mesh: [Count] = []
  /// Of links and the overlay.
  package var overlay: [Count] = []

  package init() {}

  /// A count of the mesh by its name; 0 for one that is not counted.
  package func meshCount(_ name: String) -> UInt64 { mesh.first { $0.name == name }?.value ?? 0 }

  /// A count of the overlay by its name; 0 for one that is not counted.
  package func overlayCount(_ name: String) -> UInt64 {
    overlay.first { $0.name == name }?.value ?? 0
  }
}
