/// Why this machine cannot hold the programs of jobs apart: a sentence for its operator.
package struct IsolationRefusal: Error, Equatable, CustomStringConvertible {
  package let description: String

  package init(_ sentence: String) { description = sentence }
}
