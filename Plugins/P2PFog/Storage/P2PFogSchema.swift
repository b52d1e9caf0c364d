package import PluginStorage

extension DatabaseSchema {
  /// Tables of peers, messages, nodes and jobs.
  package static let p2pFog = DatabaseSchema(steps: [
    PeerTables.create + FogTables.create, PeerTables.countSenders,
  ])
}
