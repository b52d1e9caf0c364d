/// A plugin that knows how to find out whether it is fit to serve.
public protocol SelfTesting: Plugin {
  /// Tests this build, between `init` and its end; asked before the build replaces anything.
  ///
  /// Runs in a child process of the gateway, with the real settings and an empty data directory, and has 5 s.
  ///
  /// - Throws: `PluginFailure` with a sentence for the operator; the build is not taken.
  func selfTest() throws
}
