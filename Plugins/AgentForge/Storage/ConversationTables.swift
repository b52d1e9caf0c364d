import PluginStorage

extension DatabaseSchema {
  /// The tables of conversations.
  static let conversationTables = ""
}
