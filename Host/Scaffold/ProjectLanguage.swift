/// What a plugin's project can be written in.
package enum ProjectLanguage: String, CaseIterable, Sendable {
  case c, rust, swift

  /// The language as people write it.
  package var title: String {
    switch self {
    case .c: "C"
    case .rust: "Rust"
    case .swift: "Swift"
    }
  }
}
