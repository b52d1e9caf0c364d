import CGatewayPlugin

/// The code of one generation, wherever it runs: a library in this process, or a process of its own that is spoken to.
protocol PluginCode: AnyObject, Sendable {
  /// The plugin's id, `[a-z][a-z0-9_]{0,31}`.
  var id: String { get }
  /// Its semantic version.
  var version: String { get }
  /// What it says of itself, one sentence.
  var summary: String { get }
  /// SHA-256 of the library, in hexadecimal digits.
  var digest: String { get }
  /// The plugin's functions, valid until `close`.
  var descriptor: UnsafePointer<gw_plugin_v1> { get }
  /// Why the code must stay mapped; `nil` when it can be unmapped.
  var tie: String? { get }

  /// Remembers that the plugin made threads by itself.
  func noteForeignThreads(_ names: [String])

  /// Gives the code up, after the last use of anything of it.
  ///
  /// - Parameter obstacle: A reason to keep it mapped.
  /// - Returns: What was done and why.
  func close(obstacle: String?) -> PluginLibrary.Closing
}
