/// The path of a result file below its job's folder.
package struct ResultPath: Sendable, Hashable {
  /// Bytes at most.
  package static let limit = 255
  /// Names in it at most.
  package static let depth = 16

  /// As the node sent it.
  package let text: String

  /// Checks a path; `nil` for anything that could lead elsewhere.
  ///
  /// - Parameter text: Relative; names parted by one `/` each, none of them `.` or `..`, no control characters.
  package init?(_ text: String) {
    guard (1...Self.limit).contains(text.utf8.count),
      text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7F })
    else { return nil }
    // By bytes: a name is what the kernel sees, whatever Unicode makes of it.
    let names = text.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
    guard names.count <= Self.depth,
      names.allSatisfy({
        !$0.isEmpty && !$0.elementsEqual(".".utf8) && !$0.elementsEqual("..".utf8)
      })
    else { return nil }
    self.text = text
  }

  /// The folders it stands in, the outermost first.
  package var folders: [String] {
    var found: [String] = []
    var rest = text.utf8[...]
    while let slash = rest.firstIndex(of: UInt8(ascii: "/")) {
      found.append(String(text[..<slash]))
      rest = text.utf8[text.utf8.index(after: slash)...]
    }
    return found
  }
}
