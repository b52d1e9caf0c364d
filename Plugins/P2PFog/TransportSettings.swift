import GatewayPlugin
import Peering

/// What the operator may decide about the mesh, in the settings object `bitchat`.
struct BitChatSettings: Sendable {
  private static let nanoseconds: UInt64 = 1_000_000_000

  /// Neighbours that this peer chooses.
  var degree = 8
  /// Messages of others that are kept for peers that are away.
  var storedMessages = 1000
  /// How long one is kept.
  var storeSeconds = 3600
  /// Between two probes of other members.
  var probeMilliseconds = 1000
  /// Between two beacons.
  var beaconSeconds = 30

  init() {}

  /// Reads the settings of this part.
  init(_ fields: inout Fields) {
    degree = fields.integer("neighbours", 2...20, default: degree)
    storedMessages = fields.integer("stored_messages", 0...100_000, default: storedMessages)
    storeSeconds = fields.integer("store_seconds", 1...3600, default: storeSeconds)
    probeMilliseconds = fields.integer(
      "probe_milliseconds",
      100...60_000,
      default: probeMilliseconds
    )
    beaconSeconds = fields.integer("beacon_seconds", 1...3600, default: beaconSeconds)
  }

  /// Puts them where the mesh looks for them.
  func apply(to settings: inout MeshSettings) {
    settings.degree = degree
    settings.storeLimit = storedMessages
    settings.storeTime = UInt64(storeSeconds) * Self.nanoseconds
    settings.members.probeInterval = UInt64(probeMilliseconds) * 1_000_000
    settings.beaconInterval = UInt64(beaconSeconds) * Self.nanoseconds
  }
}

/// What the operator may decide about the overlay, in the settings object `betanet`.
struct BetaNetSettings: Sendable {
  /// Links from sender to recipient.
  var hops = 3
  /// Fewer, where there are not enough peers.
  var minimumHops: Int?
  /// Cells per second and link at least, by cover where nothing else goes.
  var coverCellsPerSecond = 0
  /// When a circuit is used no more for new messages.
  var rotateSeconds = 600

  init() {}

  /// Reads the settings of this part.
  init(_ fields: inout Fields) {
    hops = fields.integer("hops", OverlaySettings.hopRange, default: hops)
    minimumHops = fields.optionalInteger("minimum_hops", OverlaySettings.hopRange)
    if let minimumHops, minimumHops > hops {
      fields.refuse("minimum_hops", "must not be more than hops, \(hops)")
    }
    coverCellsPerSecond = fields.integer("cover_cells_per_second", 0...100, default: 0)
    rotateSeconds = fields.integer("rotate_seconds", 10...86_400, default: rotateSeconds)
  }

  /// Puts them where the overlay looks for them.
  func apply(to settings: inout OverlaySettings) {
    settings.hops = hops
    settings.minimumHops = minimumHops
    settings.cover = coverCellsPerSecond
    settings.rotateAfter = UInt64(rotateSeconds) * 1_000_000_000
  }
}
