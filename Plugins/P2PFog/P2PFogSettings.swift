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
  /// Default 256 MiB. Below, messages are refused and the health is degraded; what jobs leave has its own limit in `fog`.
  package var minFreeBytes = 256 << 20
  /// Messages of one peer that are kept here, in all users' inboxes.
  ///
  /// Default 50,000. Of a peer that has as many, further ones are refused until users have deleted some.
  package var maxMessagesPerPeer = 50_000
  /// Bytes that these take, 512 for each message beside its texts.
  ///
  /// Default 128 MiB.
  package var maxMessageBytesPerPeer = 128 << 20
  /// Of jobs that are submitted here.
  package var fog = FogSettings()
  /// Of this machine as a node.
  package var node = WorkerSettings()

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
      read.minFreeBytes = fields.integer(
        "min_free_bytes",
        0...(1 << 50),
        default: read.minFreeBytes
      )
      read.maxMessagesPerPeer = fields.integer(
        "max_messages_per_peer",
        1...1_000_000_000,
        default: read.maxMessagesPerPeer
      )
      read.maxMessageBytesPerPeer = fields.integer(
        "max_message_bytes_per_peer",
        1...(1 << 50),
        default: read.maxMessageBytesPerPeer
      )
      read.fog = fields.optionalObject("fog") { FogSettings(&$0) } ?? read.fog
      read.node = fields.optionalObject("node") { WorkerSettings(&$0) } ?? read.node
      return read
    }
    if let secretFile {
      let secret = try Self.secret(secretFile)
      network.mesh.networkSecret = secret
      network.overlay.networkSecret = secret
    }
  }

  private init(_ network: NetworkSettings) { self.network = network }

  private static func endpoint(_ name: String, _ fields: inout Fields) -> Endpoint? {
    guard let text = fields.optionalString(name, 1...64) else { return nil }
    guard let endpoint = Endpoint(text: text) else {
      fields.refuse(name, "must be an IP address and a port, as 127.0.0.1:7946 or [::1]:7946")
      return nil
    }
    return endpoint
  }

  private mutating func readNetwork(_ fields: inout Fields) {
    if let listen = Self.endpoint("listen", &fields) { network.listen = listen }
    network.advertise = Self.endpoint("advertise", &fields)
    if network.listen.isWildcard, network.advertise == nil {
      fields.refuse(
        "advertise",
        "is required where listen stands for all addresses: peers must know which to use"
      )
    }
    if let advertise = network.advertise, !advertise.canBeDialled {
      fields.refuse("advertise", "must be one address and a port from 1")
    }
    network.name = fields.string("name", 0...PeerRecord.nameLimit, default: "")
    if !PeerRecord.isName(network.name) {
      fields.refuse(
        "name",
        "must have at most \(PeerRecord.nameLimit) bytes of UTF-8, none of them of control characters"
      )
      network.name = ""
    }
    readGroup(&fields)
    let overlay = fields.optionalObject("betanet") { BetaNetSettings(&$0) } ?? BetaNetSettings()
    overlay.apply(to: &network.overlay)
    network.mesh.isDiscoverable = network.group != nil
    let mesh = fields.optionalObject("bitchat") { BitChatSettings(&$0) } ?? BitChatSettings()
    mesh.apply(to: &network.mesh)
  }

  private mutating func readGroup(_ fields: inout Fields) {
    network.group = Self.endpoint("discovery_group", &fields)
    guard let group = network.group else { return }
    if group.address.count != 4 || !(224...239).contains(group.address[0]) || group.port == 0 {
      fields.refuse(
        "discovery_group",
        "must be a multicast address of IP version 4 and a port, as 239.255.77.7:7947"
      )
    } else if network.listen.address.count != 4 {
      fields.refuse("discovery_group", "needs a listen address of IP version 4; leave it out")
    }
  }

  private mutating func readPeers(_ fields: inout Fields) {
    for (index, text) in fields.strings("peers", 0...1000, length: 1...128).enumerated() {
      let parts = text.split(separator: "@", maxSplits: 1).map(String.init)
      guard parts.count == 2, let id = PeerID(text: parts[0]),
        let endpoint = Endpoint(text: parts[1]), endpoint.canBeDialled
      else {
        fields.refuse(
          "peers[\(index)]",
          "must be a peer id, @, one address and a port from 1, as HEX64@127.0.0.1:7946"
        )
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
    let name = "settings.network_secret_file"
    let (bytes, mode): ([UInt8], UInt32)
    do throws(StorageError) {
      let file = try OpenFile(path: path, flags: O_RDONLY)
      var status = stat()
      guard unsafe fstat(file.descriptor, &status) == 0 else { throw .last("fstat") }
      mode = status.st_mode
      bytes = try file.read(at: 0, count: min(try file.size(), 4096))
    } catch {
      throw PluginFailure("\(name) cannot be read: \(error)")
    }
    guard mode & 0o077 == 0 else {
      throw PluginFailure("\(name) can be read by others; give the file mode 0600")
    }
    let end = bytes.lastIndex { $0 != 0x0A && $0 != 0x0D }.map { $0 + 1 } ?? 0
    guard end >= 32 else { throw PluginFailure("\(name) must hold at least 32 bytes") }
    return Array(bytes[..<end])
  }
}
