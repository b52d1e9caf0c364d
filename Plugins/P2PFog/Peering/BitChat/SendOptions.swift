/// How one message is sent.
package struct SendOptions: Sendable {
  /// Which way.
  package enum Route: String, Sendable {
    /// Over a session with the recipient when there is one or it can be opened at once, through the mesh otherwise.
    case auto
    /// Over a session alone, which is opened when there is none.
    case direct
    /// Through the mesh alone.
    case mesh
  }

  /// Default `auto`.
  package var route = Route.auto

  /// The message is given up after this, in nanoseconds; at most an hour.
  ///
  /// Default 60 s.
  package var lifetime: UInt64 = 60_000_000_000

  /// Links that a packet may pass, 1 to 7.
  ///
  /// Default 7.
  package var hopLimit: UInt8 = 7

  package init() {}
}
