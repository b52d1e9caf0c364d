/// The grammars of names in the contract.
enum Names {
  /// `[a-z][a-z0-9_]{0,31}`.
  static func isPluginID(_ name: String) -> Bool { isWord(name, limit: 32, dots: false) }

  /// `[a-z][a-z0-9_.]{0,63}`, for topics and services.
  static func isDotted(_ name: String) -> Bool { isWord(name, limit: 64, dots: true) }

  /// A scope: one word of visible characters, at most 64 bytes; words are separated by spaces in a token.
  static func isScope(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count) && name.utf8.allSatisfy { (0x21...0x7E).contains($0) }
  }

  /// A name that is shown to people: 1 to 64 visible characters or spaces.
  static func isLabel(_ name: String) -> Bool {
    (1...64).contains(name.utf8.count) && name.utf8.allSatisfy { (0x20...0x7E).contains($0) }
  }

  /// `1.2.3`, with an optional `-pre.1` and `+build` (semver.org 2.0.0).
  static func isVersion(_ version: String) -> Bool {
    guard version.utf8.count <= 64 else { return false }
    let withoutBuild = version.split(separator: "+", maxSplits: 1, omittingEmptySubsequences: false)
    let parts = withoutBuild[0].split(
      separator: "-",
      maxSplits: 1,
      omittingEmptySubsequences: false
    )
    let numbers = parts[0].split(separator: ".", omittingEmptySubsequences: false)
    let tails = parts.dropFirst() + withoutBuild.dropFirst()
    return numbers.count == 3 && numbers.allSatisfy(isNumber)
      && tails.allSatisfy { tail in
        tail.split(separator: ".", omittingEmptySubsequences: false).allSatisfy { part in
          !part.isEmpty && part.utf8.allSatisfy { isWordByte($0) || $0 == UInt8(ascii: "-") }
        }
      }
  }

  private static func isNumber(_ text: Substring) -> Bool {
    !text.isEmpty && text.utf8.allSatisfy { (0x30...0x39).contains($0) }
      && (text.utf8.first != 0x30 || text.utf8.count == 1)
  }

  private static func isWordByte(_ byte: UInt8) -> Bool {
    (0x30...0x39).contains(byte) || (0x41...0x5A).contains(byte) || (0x61...0x7A).contains(byte)
  }

  private static func isWord(_ name: String, limit: Int, dots: Bool) -> Bool {
    guard let first = name.utf8.first, (0x61...0x7A).contains(first), name.utf8.count <= limit
    else { return false }
    return name.utf8.allSatisfy { byte in
      (0x61...0x7A).contains(byte) || (0x30...0x39).contains(byte) || byte == UInt8(ascii: "_")
        || (dots && byte == UInt8(ascii: "."))
    }
  }
}
