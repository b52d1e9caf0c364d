package import PluginStorage

/// Decides of each entry of a bundle, in their order, whether it is taken, and where it goes.
///
/// Nothing is written before the whole of an archive has passed. What is taken stands within the work folder under every
/// reading of its path: no `..`, no root, nothing beneath a link, links that lead outside refused by their text alone.
package struct BundleRules: Sendable {
  /// What a bundle may be.
  package struct Limits: Sendable, Equatable {
    /// Bytes of all its files.
    package var bytes: Int
    package var entries = 20_000

    package init(bytes: Int) { self.bytes = bytes }
  }

  /// Bytes of a path.
  package static let maxPath = 1024
  /// Bytes of one name of it.
  package static let maxName = 255
  /// Names of a path.
  package static let maxDepth = 32

  /// An entry that is taken, with the names of its path.
  package enum Step: Sendable, Equatable {
    case file(path: [String], size: Int, isExecutable: Bool)
    case folder(path: [String])
    case link(path: [String], target: String)
    case sameAs(path: [String], original: [String])
    /// The work folder itself.
    case nothing
  }

  private enum Taken { case file, folder, link }

  private let limits: Limits
  private var taken: [[String]: Taken] = [:]
  /// Entries and bytes so far.
  package private(set) var entries = 0
  package private(set) var bytes = 0

  package init(_ limits: Limits) { self.limits = limits }

  /// Takes an entry or refuses it.
  ///
  /// - Parameter entry: The next of the archive.
  /// - Returns: What is to be made.
  /// - Throws: `BundleFault` that names the entry.
  package mutating func admit(_ entry: TarEntry) throws(BundleFault) -> Step {
    entries += 1
    guard entries <= limits.entries else {
      throw BundleFault("The bundle has more than \(limits.entries) entries.")
    }
    let path = try Self.names(entry.path)
    guard !path.isEmpty else {
      guard entry.kind == .folder else { throw Self.fault(entry.path, "is no name of a file") }
      return .nothing
    }
    try makeParents(of: path, entry)
    if let earlier = taken[path], earlier != .folder || entry.kind != .folder {
      throw Self.fault(entry.path, "is in the archive twice")
    }
    switch entry.kind {
    case .folder:
      taken[path] = .folder
      return .folder(path: path)
    case .file(let size, let isExecutable):
      bytes += size
      guard bytes <= limits.bytes else {
        throw BundleFault(
          "The bundle has more than the \(limits.bytes) bytes of disk that the job asked for."
        )
      }
      taken[path] = .file
      return .file(path: path, size: size, isExecutable: isExecutable)
    case .link(let target):
      try Self.check(target, from: path, entry.path)
      taken[path] = .link
      return .link(path: path, target: target)
    case .sameAs(let original):
      let names = try Self.names(original)
      guard taken[names] == .file else {
        throw Self.fault(
          entry.path,
          "is another name of a file that does not stand before it in the archive"
        )
      }
      taken[path] = .file
      return .sameAs(path: path, original: names)
    case .special:
      throw Self.fault(
        entry.path,
        "is a device, a pipe or of a kind that is not taken; pack files, folders and links"
      )
    }
  }

  private mutating func makeParents(of path: [String], _ entry: TarEntry) throws(BundleFault) {
    for depth in 1..<max(1, path.count) {
      let parent = Array(path.prefix(depth))
      switch taken[parent] {
      case .folder: continue
      case nil:
        // Folders that have no entry of their own count as well: a short header must not make many of them.
        entries += 1
        taken[parent] = .folder
      case .file, .link: throw Self.fault(entry.path, "stands beneath something that is no folder")
      }
    }
  }

  /// The names of a path; none for the work folder itself.
  ///
  /// - Parameter path: As the archive gives it.
  /// - Returns: Names without `.`; a slash at the end is passed over.
  /// - Throws: `BundleFault` for what leads elsewhere or is too long.
  package static func names(_ path: String) throws(BundleFault) -> [String] {
    guard !path.isEmpty else { throw BundleFault("An entry has no name.") }
    guard path.utf8.count <= maxPath else { throw fault(path, "is longer than \(maxPath) bytes") }
    // By bytes, as the kernel reads it: to a String, a slash with a combining mark behind it is no slash.
    guard path.utf8.first != slash else { throw fault(path, "is an absolute path") }
    guard !path.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 }) else {
      throw fault(path, "has control characters")
    }
    var names: [String] = []
    for part in parts(path) where part != "." {
      guard part != ".." else { throw fault(path, "leads out of its folder") }
      guard part.utf8.count <= maxName else {
        throw fault(path, "has a name of more than \(maxName) bytes")
      }
      names.append(part)
    }
    guard names.count <= maxDepth else { throw fault(path, "is deeper than \(maxDepth) folders") }
    return names
  }

  /// Refuses a link's text that leads outside.
  ///
  /// `..` may stand at the beginning only, where it is counted against the link's own folder, which is no link: after a
  /// name, that name could be a link, and `..` would be its target's.
  private static func check(
    _ target: String,
    from path: [String],
    _ name: String
  ) throws(BundleFault) {
    guard !target.isEmpty, target.utf8.count <= maxPath, target.utf8.first != slash,
      !target.unicodeScalars.contains(where: { $0.value < 32 || $0.value == 127 })
    else { throw fault(name, "is a link to an absolute or unusable path") }
    var up = 0
    var hasNames = false
    for part in parts(target) where part != "." {
      if part == ".." {
        up += 1
        guard !hasNames, up < path.count else { throw fault(name, "is a link that leads outside") }
      } else {
        hasNames = true
      }
    }
  }

  private static let slash = UInt8(ascii: "/")

  /// What stands between the slashes; nothing of what is empty.
  private static func parts(_ path: String) -> [String] {
    path.utf8.split(separator: slash).map { String(decoding: $0, as: UTF8.self) }
  }

  private static func fault(_ path: String, _ reason: String) -> BundleFault {
    BundleFault("The bundle's entry \(String(path.prefix(200)).debugDescription) \(reason).")
  }
}
