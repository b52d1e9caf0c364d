import Testing
import TestSupport

@testable import PluginStorage

@Suite("Tar archives")
struct TarTests {
  typealias B = TarBuilder

  static let files: [(name: String, content: [UInt8])] = [
    ("config.json", Array("{}".utf8)), ("empty", []), ("block", [UInt8](repeating: 7, count: 512)),
  ]

  static func error(_ bytes: [UInt8]) -> TarError? {
    do {
      _ = try B.read(bytes)
      return nil
    } catch { return error }
  }

  @Test("an archive comes back in pieces of every size")
  func anArchiveComesBack() throws {
    let bytes = B.archive(Self.files)
    #expect(bytes.count == Tar.archiveBytes(Self.files.map(\.content.count)))
    for piece in [1, 2, 3, 511, 512, 513, .max] {
      let back = try B.read(bytes, piece: piece)
      #expect(back.map(\.entry.path) == Self.files.map(\.name))
      #expect(back.map(\.content) == Self.files.map(\.content))
    }
    // As tar pads to a record of 20 blocks.
    #expect(try B.read(bytes + [UInt8](repeating: 0, count: 8192)).count == 3)
  }

  @Test("every kind of entry is told as its header says it")
  func kinds() throws {
    let bytes = B.archive(
      B.folder("./"),
      B.file("old/", ""),
      B.file("run", "x", mode: "0000755"),
      B.link("up", "../.."),
      B.same("/again", "run"),
      B.header("name", prefix: "some/prefix"),
      B.header("", type: "3"),
      B.header("sparse", type: "S", size: 513) + [UInt8](repeating: 1, count: 1024),
      B.file("last", "")
    )
    for piece in [1, 513, .max] {
      #expect(
        try B.read(bytes, piece: piece).map(\.entry) == [
          TarEntry("./", .folder),
          TarEntry("old/", .folder),
          TarEntry("run", .file(size: 1, isExecutable: true)),
          TarEntry("up", .link("../..")),
          TarEntry("/again", .sameAs("run")),
          TarEntry("some/prefix/name", .file(size: 0, isExecutable: false)),
          TarEntry("", .special),
          TarEntry("sparse", .special),
          TarEntry("last", .file(size: 0, isExecutable: false)),
        ]
      )
    }
  }

  @Test("an archive cut at any byte is refused")
  func aCutArchiveIsRefused() {
    let bytes = B.archive([("config.json", Array("{}".utf8))])
    for count in 0..<bytes.count {
      #expect(Self.error(Array(bytes[..<count])) == .noEnd)
    }
  }

  @Test("a header with any byte changed is refused")
  func aChangedHeaderIsRefused() {
    let bytes = B.archive([("config.json", [1])])
    // The byte after the checksum's closing NUL says nothing.
    for index in 0..<512 where index != 155 {
      var changed = bytes
      changed[index] ^= 0x81
      #expect(throws: TarError.self, "\(index)") { try B.read(changed) }
    }
  }

  @Test("what cannot be read is refused with its reason")
  func refusals() {
    for (change, expected) in [
      ({ $0[0] = 0xFF }, .notText(of: "the name of an entry")),
      ({ $0[124] = 0x80 }, .unreadableSize),
      ({ $0[124] = UInt8(ascii: "8") }, .unreadableSize),
      ({ for index in 124..<136 { $0[index] = 0 } }, .unreadableSize),
      ({ $0[257] = 0 }, .notAnArchive),
      (
        {
          $0[156] = UInt8(ascii: "1"); $0[157] = 0xFF
        }, .notText(of: "the target of a link")
      ),
    ] as [((inout [UInt8]) -> Void, TarError)] {
      #expect(Self.error(B.header("config.json", change: change) + Tar.end) == expected)
    }
    for type in "125" as String {
      let bytes = B.header("a", type: type, size: 1, target: "b") + Tar.end
      #expect(Self.error(bytes) == .bytesOfNoFile(path: "a"), "\(type)")
    }
  }

  @Test("after the end only zeros may follow, and not many")
  func theEnd() {
    let zero = [UInt8](repeating: 0, count: 512)
    #expect(Self.error(zero + B.header("config.json") + Tar.end) == .entryAfterEnd)
    #expect(Self.error(Tar.end + [1]) == .bytesAfterEnd)
    let most = [UInt8](repeating: 0, count: 64 << 10)
    #expect(Self.error(Tar.end + most) == nil)
    #expect(Self.error(Tar.end + most + [0]) == .bytesAfterEnd)
  }

  @Test("a pax header gives the next entry its name and target, passes over times, and no size")
  func paxHeaders() throws {
    let archive = B.archive(
      B.pax("mtime", "1.5"),
      B.pax("pathx", "b"),
      B.file("a", ""),
      B.pax("path", "long/name"),
      B.pax("linkpath", "target"),
      B.link("short", "short"),
      B.file("c", "")
    )
    #expect(
      try B.read(archive).map(\.entry) == [
        TarEntry("a", .file(size: 0, isExecutable: false)),
        TarEntry("long/name", .link("target")),
        TarEntry("c", .file(size: 0, isExecutable: false)),
      ]
    )
    for key in ["size", "GNU.sparse.major"] {
      #expect(Self.error(B.pax(key, "1") + B.archive(Self.files)) == .extensionGives(key))
    }
    let path = B.pax("path", "x", type: "g") + B.archive(Self.files)
    #expect(Self.error(path) == .extensionGives("path"))
    let bytes = Array("99 path=a\n".utf8)
    let damaged = B.header("x", type: "x", size: bytes.count) + bytes + Tar.padding(bytes.count)
    #expect(Self.error(damaged) == .damagedExtension)
  }

  @Test("a GNU header gives the next entry a long name and a long target")
  func longNames() throws {
    let name = String(repeating: "n/", count: 200)
    let bytes = B.archive(
      B.long(name + "f"),
      B.long(name, type: "K"),
      B.link("short", "short"),
      B.file("c", "")
    )
    #expect(
      try B.read(bytes, piece: 100).map(\.entry) == [
        TarEntry(name + "f", .link(name)), TarEntry("c", .file(size: 0, isExecutable: false)),
      ]
    )
  }

  @Test("headers that extend an entry are bounded in size and number")
  func extensionsAreBounded() {
    func long(_ size: Int) -> [UInt8] {
      B.header("x", type: "L", size: size) + [UInt8](repeating: 65, count: size)
    }
    #expect(Self.error(long(64 << 10) + B.archive(Self.files)) == nil)
    #expect(Self.error(B.header("x", type: "L", size: (64 << 10) + 1)) == .longExtension)
    let times = B.pax("mtime", "1")
    let four = times + times + times + times
    #expect(Self.error(four + B.archive(Self.files)) == nil)
    #expect(Self.error(four + times + B.archive(Self.files)) == .longExtension)
  }

  @Test("random bytes never crash the reader")
  func randomBytes() {
    var generator = SeededGenerator(seed: 5)
    let good = B.archive(B.pax("path", "b"), B.file("a", "x"), B.long("c"), B.link("d", "e"))
    for _ in 0..<500 {
      var bytes = good
      for _ in 0..<3 {
        let index = Int.random(in: 0..<bytes.count, using: &generator)
        bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
      }
      _ = try? B.read(bytes, piece: 100)
    }
  }
}
