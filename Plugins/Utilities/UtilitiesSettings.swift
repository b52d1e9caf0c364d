package import GatewayPlugin

/// What the operator has decided for this plugin, in `plugins.d/10-utilities.json`.
package struct UtilitiesSettings: Sendable, Equatable {
  /// Bytes of one file.
  ///
  /// Default 1 GiB. A larger one gets 413.
  package var maxUploadBytes = 1 << 30

  /// Bytes of one document that are read for text.
  ///
  /// Default 64 MiB. The rest is stored and not found by questions; the answer says `truncated`.
  package var maxIndexBytes = 64 << 20

  /// Seconds `pdftotext` may take for one document.
  ///
  /// Default 30. A slower one is stored without being indexed.
  package var pdfTimeoutSeconds = 30

  /// Bytes that must stay free on the disk.
  ///
  /// Default 256 MiB. Below, uploads get 507 and the health is degraded.
  package var minFreeBytes = 256 << 20

  package init() {}

  /// Reads the settings.
  ///
  /// - Parameter settings: Of the plugin's file.
  /// - Throws: `PluginFailure` that names every bad setting.
  package init(_ settings: Settings) throws(PluginFailure) {
    let defaults = UtilitiesSettings()
    self = try settings.read { fields in
      var read = defaults
      read.maxUploadBytes = fields.integer(
        "max_upload_bytes",
        1...(1 << 40),
        default: defaults.maxUploadBytes
      )
      read.maxIndexBytes = fields.integer(
        "max_index_bytes",
        0...(1 << 30),
        default: defaults.maxIndexBytes
      )
      read.pdfTimeoutSeconds = fields.integer(
        "pdf_timeout_seconds",
        1...300,
        default: defaults.pdfTimeoutSeconds
      )
      read.minFreeBytes = fields.integer(
        "min_free_bytes",
        0...(1 << 50),
        default: defaults.minFreeBytes
      )
      return read
    }
  }
}
