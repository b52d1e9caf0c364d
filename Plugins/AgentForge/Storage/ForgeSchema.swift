package import PluginStorage

extension DatabaseSchema {
  /// Agent Forge's database: models, runs, conversations.
  package static let forge = DatabaseSchema(steps: [
    modelTables + runTables + conversationTables,
    runUsage,
  ])
}
