import PluginStorage

extension DatabaseSchema {
  /// The tables of runs.
  static let runTables = ""
}
