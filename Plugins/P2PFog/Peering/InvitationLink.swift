import Wire

/// What is handed to another operator: where this peer is, who it is, and a secret that lets one peer in once.
///
///     aivillage://203.0.113.7:7946/join?peer=HEX64&secret=BASE64URL&node=1
package struct InvitationLink: Sendable, Equatable, CustomStringConvertible {
  private static let scheme = "aivillage://"

  /// Where the inviting peer is reached.
  package let endpoint: Endpoint
  /// Who it is; a handshake with anyone else fails.
  package let peer: PeerID
  /// 16 bytes.
  package let secret: [UInt8]
  /// Whether who redeems it may register as a node of the fog.
  package let isForNode: Bool

  package init(endpoint: Endpoint, peer: PeerID, secret: [UInt8], isForNode: Bool) {
    precondition(secret.count == PeerHandshake.invitationSize)
    self.endpoint = endpoint
    self.peer = peer
    self.secret = secret
    self.isForNode = isForNode
  }

  /// Reads a link.
  ///
  /// - Parameter text: As `description` gives it.
  /// - Throws: `MalformedPacket`, whose reason follows "the link ".
  package init(text: String) throws(MalformedPacket) {
    guard text.hasPrefix(Self.scheme), text.utf8.count <= 512 else {
      throw MalformedPacket("must begin with \(Self.scheme)")
    }
    let rest = text.dropFirst(Self.scheme.count)
    guard let slash = rest.firstIndex(of: "/"), let question = rest.firstIndex(of: "?"),
      slash < question,
      rest[slash..<question] == "/join"
    else { throw MalformedPacket("must have /join? after its address") }
    guard let endpoint = Endpoint(text: String(rest[..<slash])), endpoint.canBeDialled
    else {
      throw MalformedPacket(
        "must have an IP address and a port, as 203.0.113.7:7946 or [2001:db8::1]:7946"
      )
    }
    var values: [String: String] = [:]
    for pair in rest[rest.index(after: question)...].split(separator: "&") {
      let parts = pair.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
      guard parts.count == 2, values.updateValue(String(parts[1]), forKey: String(parts[0])) == nil
      else {
        throw MalformedPacket("must name peer, secret and node once each")
      }
    }
    guard let peer = PeerID(text: values["peer"] ?? "") else {
      throw MalformedPacket("must have a peer of 64 lower-case hexadecimal digits")
    }
    guard let secret = Base64URL.decode(Array((values["secret"] ?? "").utf8).span),
      secret.count == PeerHandshake.invitationSize
    else { throw MalformedPacket("must have a secret of 16 bytes in base64url") }
    guard let node = values["node"], node == "0" || node == "1", values.count == 3 else {
      throw MalformedPacket(
        "must have node=0 or node=1, and nothing more than peer, secret and node"
      )
    }
    self.init(endpoint: endpoint, peer: peer, secret: secret, isForNode: node == "1")
  }

  package var description: String {
    let secret = Base64URL.encode(secret)
    return "\(Self.scheme)\(endpoint)/join?peer=\(peer)&secret=\(secret)&node=\(isForNode ? 1 : 0)"
  }
}
