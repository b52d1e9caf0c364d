import Glibc
import PluginStorage
import Testing

@testable import P2PFog

@Suite("Names that a stranger's program gives its files")
struct HostileNamesTests {
  /// A file whose name is no UTF-8.
  private static func make(_ folder: String, _ bytes: Int) {
    var name = Array((folder + "/bad-").utf8) + [0xFF, 0]
    let file = name.withUnsafeMutableBytes {
      $0.baseAddress.map { open($0.assumingMemoryBound(to: CChar.self), O_WRONLY | O_CREAT, 0o600) }
        ?? -1
    }
    let content = [UInt8](repeating: 1, count: bytes)
    #expect(write(file, content, bytes) == bytes)
    close(file)
  }

  @Test("a file whose name is no UTF-8 counts against the disk and goes with its folder")
  func brokenName() throws {
    let folder = WorkerFolder()
    #expect(mkdir(folder.path + "/tree", 0o700) == 0)
    #expect(mkdir(folder.path + "/tree/inner", 0o700) == 0)
    Self.make(folder.path + "/tree", 100_000)
    Self.make(folder.path + "/tree/inner", 100_000)
    let use = try FileTree.use(folder.path + "/tree")
    #expect(use.bytes >= 200_000 && use.entries == 3)
    try FileTree.give(folder.path + "/tree", to: Int(getuid()))
    try FileTree.remove(folder.path + "/tree")
    #expect(access(folder.path + "/tree", F_OK) != 0)
  }

  @Test("a result whose name is no UTF-8 is told to the submitter, not passed over")
  func brokenResult() throws {
    let folder = WorkerFolder()
    Self.make(folder.path, 1)
    #expect(throws: LeaseOutputs.Fault.self) {
      _ = try LeaseOutputs.find(in: folder.path, limit: 1000)
    }
  }

  @Test(
    "a slash is one to the rules of bundles, whatever combining mark follows it",
    arguments: [
      "/\u{301}x", "../\u{301}x", "a/../\u{301}x", "a/..\u{301}/../\u{301}", "a/\u{301}/..",
    ]
  )
  func hiddenSlash(_ path: String) {
    #expect(throws: BundleFault.self) { _ = try BundleRules.names(path) }
    var rules = BundleRules(BundleRules.Limits(bytes: 1000))
    #expect(throws: BundleFault.self) {
      _ = try rules.admit(TarEntry("l", .link(path)))
    }
  }

  @Test("names are parted where the kernel parts them")
  func parted() throws {
    #expect(try BundleRules.names("a/\u{301}b/./c/") == ["a", "\u{301}b", "c"])
  }
}
