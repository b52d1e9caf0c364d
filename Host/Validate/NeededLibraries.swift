import Glibc

/// The libraries that a library needs, found as the dynamic linker finds them, without running anything.
///
/// Not through the linker's cache, whose form is its own: through the directories that it is made from.
struct NeededLibraries {
  /// Names of what was found, exported by any of them.
  private(set) var symbols: Set<String> = []
  /// Needed by the library or one that it needs, and not on this machine.
  private(set) var missing: [String] = []

  /// Looks up what `audit` needs, and what that needs in turn.
  ///
  /// - Parameters:
  ///   - audit: Of the library.
  ///   - path: Of the library, for `$ORIGIN`.
  init(of audit: ELFAudit, path: String) {
    var seen: Set<String> = []
    var waiting = audit.needed.map { (name: $0, paths: Self.expand(audit.searchPaths, path)) }
    let system = Self.systemDirectories()
    while let (name, paths) = waiting.popLast() {
      guard seen.insert(name).inserted else { continue }
      let candidates = name.contains("/") ? [name] : (paths + system).map { "\($0)/\(name)" }
      guard let (found, audit) = Self.first(of: candidates) else {
        missing.append(name)
        continue
      }
      symbols.formUnion(audit.exports)
      let own = Self.expand(audit.searchPaths, found)
      waiting += audit.needed.map { (name: $0, paths: own + paths) }
    }
  }

  private static func first(of candidates: [String]) -> (path: String, audit: ELFAudit)? {
    for path in candidates {
      // Another machine's library of the same name is passed over, as the linker does.
      guard let bytes = try? FileBytes.read(path, limit: GenerationStage.maxBytes),
        let audit = try? ELFAudit(bytes)
      else { continue }
      return (path, audit)
    }
    return nil
  }

  private static func expand(_ paths: [String], _ library: String) -> [String] {
    let origin = String(library[..<(library.lastIndex(of: "/") ?? library.startIndex)])
    return paths.map { path in
      for word in ["$ORIGIN", "${ORIGIN}"] where path.hasPrefix(word) {
        return origin + path.dropFirst(word.count)
      }
      return path
    }
  }

  private static func systemDirectories() -> [String] {
    #if arch(x86_64)
    let triple = "x86_64-linux-gnu"
    #elseif arch(arm64)
    let triple = "aarch64-linux-gnu"
    #endif
    var directories: [String] = []
    if let named = unsafe getenv("LD_LIBRARY_PATH") {
      directories += unsafe String(cString: named).split(separator: ":").map(String.init)
    }
    for name in Directory.names(in: "/etc/ld.so.conf.d") where name.hasSuffix(".conf") {
      guard let bytes = try? FileBytes.read("/etc/ld.so.conf.d/\(name)", limit: 65_536) else {
        continue
      }
      directories += String(decoding: bytes, as: UTF8.self).split(separator: "\n")
        .filter { $0.hasPrefix("/") }.map(String.init)
    }
    return directories + [
      "/lib/\(triple)", "/usr/lib/\(triple)", "/lib64", "/usr/lib64", "/lib", "/usr/lib",
    ]
  }
}
