/// What the operator has decided about the peer's network.
package struct NetworkSettings: Sendable {
  /// Where datagrams and links are received; a port of 0 is chosen once and kept.
  package var listen: Endpoint
  /// As other peers are told; `nil` for where it listens.
  package var advertise: Endpoint?
  /// What people call this peer, at most 64 bytes.
  package var name = ""
  /// The group by which peers of the local network find one another; `nil` for none.
  package var group: Endpoint?
  /// Of the mesh.
  package var mesh = MeshSettings()
  /// Of the overlay.
  package var overlay = OverlaySettings()

  package init(listen: Endpoint) { self.listen = listen }
}
