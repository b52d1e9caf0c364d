import GatewayPlugin
import PluginStorage

// A record as a row of the table `models`.
extension ModelRecord {
  static let columns = """
    id, name, owner, phase, run, parents, phases_completed, shape, template, form, metrics,
    data_fingerprint, bytes, created_at
    """

  /// Reads a row of `columns`, which this plugin wrote itself: its texts are what `insert` made.
  init(_ row: Row) {
    var config = Fields(Self.stored(row.text(7)))
    self.init(
      id: row.text(0),
      name: row.text(1),
      owner: row.text(2),
      phase: row.text(3),
      run: row.text(4),
      parents: Self.texts(row.text(5)),
      phasesCompleted: Self.texts(row.text(6)),
      shape: ModelShape(&config),
      template: LanguageModel.Template(rawValue: row.text(8)) ?? .plain,
      form: LanguageModel.Form(rawValue: row.text(9)) ?? .dense,
      metrics: Self.stored(row.text(10)),
      dataFingerprint: row.text(11),
      bytes: row.count(12),
      createdAt: row.integer(13)
    )
  }

  func insert(_ connection: inout Connection) throws(StorageError) {
    try connection.run(
      "INSERT INTO models (\(Self.columns)) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
      [
        .text(id), .text(name), .text(owner), .text(phase), .text(run),
        .text(JSON.array(parents.map { .string($0) }).text),
        .text(JSON.array(phasesCompleted.map { .string($0) }).text), .text(shape.json.text),
        .text(template.rawValue), .text(form.rawValue), .text(metrics.text),
        .text(dataFingerprint), .count(bytes), .integer(createdAt),
      ]
    )
  }

  private static func stored(_ text: String) -> JSON { (try? JSON.parse(text)) ?? .null }

  private static func texts(_ text: String) -> [String] {
    stored(text).asArray?.compactMap(\.asString) ?? []
  }
}
