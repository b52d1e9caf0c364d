/// Why an archive is no bundle that is run: a sentence for its submitter.
package struct BundleFault: Error, Equatable, CustomStringConvertible {
  package let description: String

  init(_ sentence: String) { description = sentence }
}
