import Foundation
import PluginStorage

@testable import P2PFog

/// A database of the plugin in a folder of its own, removed with it.
final class PeerDatabase {
  let folder: String
  let database: Database

  init() throws {
    folder = NSTemporaryDirectory() + "p2p-fog-\(UUID4.make())"
    try FileManager.default.createDirectory(atPath: folder, withIntermediateDirectories: true)
    database = try Database(path: folder + "/p2p_fog.sqlite", schema: .p2pFog, readers: 1)
  }

  deinit { try? FileManager.default.removeItem(atPath: folder) }
}
