import PluginStorage

/// Why an archive is no bundle that is run: a sentence for its submitter.
package struct BundleFault: Error, Equatable, CustomStringConvertible {
  package let description: String

  init(_ sentence: String) { description = sentence }

  init(_ error: TarError) {
    description =
      "The bundle cannot be read: \(error). Pack it as tar of the form ustar, with or without gzip, and upload it again."
  }
}
