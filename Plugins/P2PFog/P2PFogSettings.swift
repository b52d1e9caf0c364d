package import GatewayPlugin
package import Peering
import PluginStorage
import Glibc

/// What the operator has decided for this plugin, in `plugins.d/30-p2p-fog.json`.
package struct P2PFogSettings: Sendable {
  /// A peer that is known from the beginning.
  package struct KnownPeer: Sendable, Equatable {
    package var id: PeerID
    package var endpoint: Endpoint
  }

  /// Where and how the network runs.
  package var network: NetworkSettings
  /// Peers that are known from the beginning.
  package var peers: [KnownPeer] = []
  /// Invitations that are redeemed at start, where that has not been done.
  package var join: [InvitationLink] = []
  /// Whether a known peer's word makes another peer known.
  ///
  /// Default true: whoever was let into the network by one peer is known to all.
  package var admitsIntroduced = true
  /// Bytes that must stay free on the disk.
  ///
  /// Default 256 MiB. Below, messages and results are refused and the health is degraded.
  package var minFreeBytes = 256 << 20

  /// Reads the settings.
  ///
  /// - Parameter settings: Of the plugin's file.
  /// - Throws: `PluginFailure` that names every bad setting.
  package init(_ settings: Settings) throws(PluginFailure) {
    guard let loopback = Endpoint(text: "127.0.0.1:0") else { preconditionFailure("an address") }
    var secretFile: String?
    self = try settings.read { fields in
      var read = P2PFogSettings(NetworkSettings(listen: loopback))
      read.readNetwork(&fields)
      read.readPeers(&fields)
      secretFile = fields.optionalString("network_secret_file", 1...4096)
      read.admitsIntroduced = fields.bool("admit_introduced", default: true)
      read.minFreeBytes = fields.integer("min_free_bytes", 0...(1 << 50), default: read.minFreeBytes)
      return read
    }
    if let secretFile {
      let secret = try Self.secret(secretFile)
      network.mesh.networkSecret = secret
      network.overlay.networkSecret = secret
    }
  }

  private init(_ network: NetworkSettings) { self.network = network }

  private mutating func readNetwork(_ fields: inout Fields) {
    func endpoint(_ name: String, _ fields: inout Fields) -> Endpoint? {
      guard let text = fields.optionalString(name, 1...64) else { return nil }
      guard let endpoint = Endpoint(text: text) else {
        fields.refuse(name, "must be an IP address and a port, as 127.0.0.1:7946 or [::1]:7946")
        return nil
      }
      return endpoint
    }
    if let listen = endpoint("listen", &fields) { network.listen = listen }
    network.advertise = endpoint("advertise", &fields)
    if network.listen.isWildcard, network.advertise == nil {
      fields.refuse("advertise", "is required where listen stands for all addresses: peers must know which to use")
    }
    if let advertise = network.advertise, advertise.port == 0 || advertise.isWildcard {
      fields.refuse("advertise", "must be one address and a port from 1")
    }
    network.name = fields.string("name", 0...PeerRecord.nameLimit, default: "")
    if network.name.utf8.count > PeerRecord.nameLimit {
      fields.refuse("name", "must have at most \(PeerRecord.nameLimit) bytes")
      network.name = ""
    }
    network.group = endpoint("discovery_group", &fields)
    if let group = network.group, group.address.count != 4 || !(224...239).contains(group.address[0]) || group.port == 0 {
      fields.refuse("discovery_group", "must be a multicast address of IP version 4 and a port, as 239.255.77.7:7947")
    }
    let overlay = fields.optionalObject("betanet") { OverlayWishes(&$0) } ?? OverlayWishes()
    overlay.apply(to: &network.overlay)
    let mesh = fields.optionalObject("bitchat") { MeshWishes(&$0) } ?? MeshWishes()
    mesh.apply(to: &network.mesh)
  }

  private mutating func readPeers(_ fields: inout Fields) {
    for (index, text) in fields.strings("peers", 0...1000, length: 1...128).enumerated() {
      let parts = text.split(separator: "@", maxSplits: 1).map(String.init)
      guard parts.count == 2, let id = PeerID(text: parts[0]), let endpoint = Endpoint(text: parts[1]) else {
        fields.refuse("peers[\(index)]", "must be a peer id, @ and an address, as HEX64@127.0.0.1:7946")
        continue
      }
      peers.append(KnownPeer(id: id, endpoint: endpoint))
    }
    for (index, text) in fields.strings("join", 0...16, length: 1...512).enumerated() {
      do throws(MalformedPacket) {
        join.append(try InvitationLink(text: text))
      } catch {
        fields.refuse("join[\(index)]", error.reason)
      }
    }
  }

  /// The secret in a file, so that it stands in no settings, no log and no list of processes.
  private static func secret(_ path: String) throws(PluginFailure) -> [UInt8] {
    func refuse(_ why: String) -> PluginFailure { PluginFailure("settings.network_secret_file \(why)") }
    do throws(StorageError) {
      let file = try OpenFile(path: path, flags: O_RDONLY)
      var status = stat()
      guard unsafe fstat(file.descriptor, &status) == 0, status.st_mode & 0o077 == 0 else {
        throw refuse("can be read by others; give it mode 0600")
      }
      var bytes = try file.read(at: 0, count: min(try file.size(), 4096))
      while let last = bytes.last, last == 0x0A || last == 0x0D { bytes.removeLast() }
      guard bytes.count >= 32 else { throw refuse("must hold at least 32 bytes") }
      return bytes
    } catch {
      throw refuse("cannot be read: \(error)")
    }
  }
}
