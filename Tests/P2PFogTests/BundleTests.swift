import Glibc
import PluginStorage
import TestSupport
import Testing

@testable import P2PFog

/// Entries that are refused, and a word of the sentence that says why.
struct Trick: Sendable, CustomTestStringConvertible {
  let testDescription: String
  let entries: [UInt8]
  let words: String

  init(_ name: String, _ entries: [UInt8], _ words: String) {
    testDescription = name
    self.entries = entries
    self.words = words
  }
}

@Suite("Bundles")
struct BundleTests {
  typealias B = TarBuilder

  static let limits = BundleRules.Limits(bytes: 100_000)

  /// Reads a bundle in pieces; gives how many bytes its files have.
  static func check(
    _ bytes: [UInt8],
    piece: Int = .max,
    _ limits: BundleRules.Limits = limits
  ) throws(BundleFault) -> Int {
    var stream = BundleStream(limits)
    var start = 0
    while start < bytes.count {
      let end = min(bytes.count, start + min(piece, bytes.count))
      try stream.take(Array(bytes[start..<end]).span)
      start = end
    }
    try stream.finish()
    return stream.bytes
  }

  static func refusal(_ bytes: [UInt8], _ limits: BundleRules.Limits = limits) -> String? {
    do {
      _ = try check(bytes, limits)
      return nil
    } catch { return error.description }
  }

  static let good = B.archive(
    B.folder("./"),
    B.folder("./src/"),
    B.file("./src/main.sh", "echo hello\n", mode: "0000755"),
    B.file("data/deep/file", String(repeating: "x", count: 1500)),
    B.link("src/up", "../data/deep/file"),
    B.same("again", "data/deep/file"),
    B.pax("path", "long/" + String(repeating: "n", count: 200)),
    B.file("short", "named by pax"),
    B.long("gnu/" + String(repeating: "g", count: 200)),
    B.file("short", "named by gnu"),
    B.header("name", size: 0, prefix: "some/prefix")
  )

  @Test(
    "files, folders and links within are unpacked as they were, with and without gzip",
    arguments: [false, true]
  )
  func aBundleIsUnpacked(isPacked: Bool) throws {
    let folder = WorkerFolder()
    folder.write("bundle", isPacked ? B.gzip(Self.good) : Self.good)
    mkdir(folder.path + "/work", 0o700)
    let bytes = try BundleUnpacker.unpack(
      folder.path + "/bundle",
      into: folder.path + "/work",
      Self.limits
    )
    #expect(bytes == 11 + 1500 + 12 + 12)
    #expect(folder.read("work/src/main.sh") == Array("echo hello\n".utf8))
    #expect(access(folder.path + "/work/src/main.sh", X_OK) == 0)
    #expect(folder.read("work/src/up")?.count == 1500)
    #expect(folder.read("work/again")?.count == 1500)
    let long = "work/long/" + String(repeating: "n", count: 200)
    #expect(folder.read(long) == Array("named by pax".utf8))
    let gnu = "work/gnu/" + String(repeating: "g", count: 200)
    #expect(folder.read(gnu) == Array("named by gnu".utf8))
    #expect(folder.read("work/some/prefix/name") == [])
  }

  @Test("an archive reads the same in pieces of any size", arguments: [1, 7, 511, 512, 513, 4096])
  func piecesDoNotMatter(piece: Int) throws {
    #expect(try Self.check(Self.good, piece: piece) == 1535)
    #expect(try Self.check(B.gzip(Self.good), piece: piece) == 1535)
  }

  @Test(
    "what leads out of the folder, or is no file, is refused before anything is written",
    arguments: [
      Trick("absolute", B.file("/etc/passwd", "x"), "absolute"),
      Trick("up", B.file("../x", "x"), "leads out"),
      Trick("up within", B.file("a/../../x", "x"), "leads out"),
      Trick("up and back", B.file("a/../x", "x"), "leads out"),
      Trick("up alone", B.folder(".."), "leads out"),
      Trick("empty", B.file("", "x"), "no name"),
      Trick("root itself", B.file("./", "x"), "says that it has bytes"),
      Trick("line feed", B.file("a\nb", "x"), "control characters"),
      Trick("absolute link", B.link("a", "/etc/passwd"), "absolute"),
      Trick("link up", B.link("a", ".."), "leads outside"),
      Trick("link up from below", B.link("d/a", "../../x"), "leads outside"),
      Trick("link through a name", B.link("d/a", "b/../../x"), "leads outside"),
      Trick("link to nothing", B.link("a", ""), "unusable"),
      Trick("beneath a link", B.link("a", "b") + B.file("a/x", "x"), "beneath"),
      Trick("beneath a link, deeper", B.link("a", "b") + B.file("a/c/x", "x"), "beneath"),
      Trick("beneath a file", B.file("a", "x") + B.file("a/b", "x"), "beneath"),
      Trick("twice", B.file("a", "x") + B.file("a", "y"), "twice"),
      Trick("twice, other words", B.file("a", "x") + B.file("./a", "y"), "twice"),
      Trick("link over a folder", B.folder("a") + B.link("a", "b"), "twice"),
      Trick("file over a link", B.link("a", "b") + B.file("a", "x"), "twice"),
      Trick("hard link outside", B.same("a", "/etc/passwd"), "absolute"),
      Trick("hard link up", B.same("a", "../x"), "leads out"),
      Trick("hard link to what comes later", B.same("a", "b") + B.file("b", "x"), "before it"),
      Trick("hard link to a link", B.link("b", "c") + B.same("a", "b"), "before it"),
      Trick("character device", B.header("a", type: "3"), "device"),
      Trick("block device", B.header("a", type: "4"), "device"),
      Trick("pipe", B.header("a", type: "6"), "device"),
      Trick("sparse file", B.header("a", type: "S"), "device"),
      Trick("unknown", B.header("a", type: "Z"), "device"),
      Trick(
        "long name",
        B.long(String(repeating: "n", count: 256)) + B.file("s", "x"),
        "name of more than 255"
      ),
      Trick(
        "long path",
        B.long(String(repeating: "n/", count: 600) + "f") + B.file("s", "x"),
        "longer than 1024"
      ),
      Trick("deep path", B.file(String(repeating: "d/", count: 33) + "f", "x"), "deeper than 32"),
      Trick("size by pax", B.pax("size", "99") + B.file("a", "x"), "size"),
      Trick("sparse by pax", B.pax("GNU.sparse.major", "1") + B.file("a", "x"), "GNU.sparse"),
      Trick("path for all", B.pax("path", "x", type: "g") + B.file("a", "x"), "path"),
      Trick("path by pax", B.pax("path", "../x") + B.file("a", "x"), "leads out"),
      Trick("target by pax", B.pax("linkpath", "/etc") + B.link("a", "b"), "absolute"),
      Trick("target by gnu", B.long("/etc", type: "K") + B.link("a", "b"), "absolute"),
      Trick("folder with bytes", B.header("a", type: "5", size: 512), "says that it has bytes"),
      Trick(
        "link with bytes",
        B.header("a", type: "2", size: 9, target: "b"),
        "says that it has bytes"
      ),
      Trick("too many bytes", B.header("a", size: 100_001), "100000 bytes"),
      Trick(
        "wrong checksum",
        B.header("a") { $0[148] = 55 }.enumerated().map { $0.offset == 0 ? 99 : $0.element },
        "checksum"
      ),
      Trick("no archive", [UInt8](repeating: 65, count: 1024), "no tar archive"),
    ]
  )
  func tricksAreRefused(trick: Trick) throws {
    let folder = WorkerFolder()
    mkdir(folder.path + "/work", 0o700)
    // A good file before: nothing of it is there either.
    folder.write("bundle", B.file("first", "fine") + trick.entries + Tar.end)
    let error = #expect(throws: BundleFault.self) {
      try BundleUnpacker.unpack(folder.path + "/bundle", into: folder.path + "/work", Self.limits)
    }
    #expect(error?.description.contains(trick.words) == true, "\(error?.description ?? "")")
    #expect(folder.all == ["bundle", "work"])
  }

  @Test("an archive cut at any block is refused")
  func cutArchivesAreRefused() {
    for end in stride(from: 0, to: Self.good.count, by: 512) {
      // With one block of zeros it is not the end either.
      #expect(Self.refusal(Array(Self.good[..<end])) != nil, "\(end)")
    }
    #expect(Self.refusal(Self.good) == nil)
  }

  @Test("gzip data cut anywhere are refused, as is what follows them")
  func cutGzipIsRefused() {
    let packed = B.gzip(Self.good)
    for end in 0..<packed.count {
      #expect(Self.refusal(Array(packed[..<end])) != nil, "\(end)")
    }
    #expect(Self.refusal(packed + [0]) != nil)
    #expect(Self.refusal(packed + packed) != nil)
  }

  @Test("limits of bytes and entries hold at their edge and fail one past")
  func limitsHold() throws {
    #expect(
      Self.refusal(B.archive(B.file("a", String(repeating: "x", count: 1000))), .init(bytes: 1000))
        == nil
    )
    #expect(
      Self.refusal(B.archive(B.file("a", String(repeating: "x", count: 1001))), .init(bytes: 1000))
        != nil
    )
    var few = BundleRules.Limits(bytes: 1000)
    few.entries = 4
    // Folders that are only implied count.
    #expect(Self.refusal(B.archive(B.file("a/b/c", ""), B.file("d", "")), few) == nil)
    #expect(
      Self.refusal(B.archive(B.file("a/b/c", ""), B.file("d", ""), B.file("e", "")), few) != nil
    )
    #expect(Self.refusal(Self.good + [UInt8](repeating: 0, count: 10_240)) == nil)
    #expect(Self.refusal(Self.good + [UInt8](repeating: 0, count: 2 << 20)) != nil)
    #expect(Self.refusal(Self.good + [1]) != nil)
  }

  @Test("a gzip bomb ends at the limit, not at its size")
  func aBombIsRefused() {
    let bomb = B.gzip(B.header("zeros", size: 64 << 20) + [UInt8](repeating: 0, count: 64 << 20))
    #expect(bomb.count < 100_000)
    #expect(Self.refusal(bomb)?.contains("100000 bytes") == true)
    let after = B.gzip(Self.good + [UInt8](repeating: 0, count: 64 << 20))
    #expect(Self.refusal(after)?.contains("follows the end") == true)
  }
}
