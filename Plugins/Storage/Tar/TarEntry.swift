/// One entry of an archive, as its headers tell it: nothing of it is checked.
package struct TarEntry: Sendable, Equatable {
  /// What an entry is.
  package enum Kind: Sendable, Equatable {
    /// An ordinary file of so many bytes.
    case file(size: Int, isExecutable: Bool)
    case folder
    /// A symbolic link with this text.
    case link(String)
    /// Another name of an earlier file of the archive.
    case sameAs(String)
    /// A device, a pipe, a sparse file, or of a type that is not known; its bytes are passed over.
    case special
  }

  /// Where it is to stand; may be empty, absolute, or lead out of its folder.
  package var path: String
  package var kind: Kind

  /// An entry of this path and kind.
  package init(_ path: String, _ kind: Kind) {
    self.path = path
    self.kind = kind
  }
}
