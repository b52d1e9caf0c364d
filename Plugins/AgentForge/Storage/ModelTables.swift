import PluginStorage

extension DatabaseSchema {
  /// The tables of models.
  static let modelTables = ""
}
