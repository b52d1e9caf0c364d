/// Opens a library for whoever loads it, when its signature lets it.
struct SignatureGate: Sendable {
  /// Whether a file must name signers.
  let isRequired: Bool
  let health: HealthBoard
  let log: Log

  /// Checks the signature, opens the library, and compares what it says of itself.
  ///
  /// A load that the file forced taints the process, and the log says why.
  ///
  /// - Parameters:
  ///   - file: Says who must have signed.
  ///   - source: The library's path; its signature is beside it.
  ///   - digest: Of the bytes that `open` maps.
  ///   - open: Maps them and runs their entry; not called when the signature refuses them.
  /// - Returns: What `open` gave.
  /// - Throws: `PluginFileError`; what `open` gave is closed again.
  func pass(
    _ file: PluginFile,
    source: String,
    digest: String,
    open: () throws(PluginFileError) -> any PluginCode
  ) throws(PluginFileError) -> any PluginCode {
    var check = try SignatureCheck(file, source: source, digest: digest, isRequired: isRequired)
    let code: any PluginCode
    do throws(PluginFileError) { code = try open() } catch {
      // Its constructors may have run, and of its id nothing is known.
      if let reason = check.overridden { taint(file.label, reason) }
      throw error
    }
    do throws(PluginFileError) { try check.confirm(code) } catch {
      _ = code.close(obstacle: nil)
      throw error
    }
    if let reason = check.overridden { taint(code.id, reason) }
    return code
  }

  private func taint(_ plugin: String, _ reason: SignatureCheck.Refusal) {
    health.taint.add(plugin, reason: reason.description)
    log.write(
      .warning,
      "a plugin is loaded in spite of its signature; the gateway is tainted until it ends",
      [("plugin", plugin), ("reason", reason.description)]
    )
  }
}
