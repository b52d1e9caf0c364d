/// One entry of a bundle's archive, as its header tells it; not yet checked.
package struct BundleEntry: Sendable, Equatable {
  package enum Kind: Sendable, Equatable {
    case file(size: Int, isExecutable: Bool)
    case folder
    /// A symbolic link with this text.
    case link(String)
    /// Another name of an earlier file of the archive.
    case sameAs(String)
  }

  package var path: String
  package var kind: Kind

  package init(_ path: String, _ kind: Kind) {
    self.path = path
    self.kind = kind
  }
}
