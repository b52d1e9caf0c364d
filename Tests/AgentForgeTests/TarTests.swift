import PluginStorage
import Testing

@testable import AgentForge

@Suite("Tar archives")
struct TarTests {
  static func archive(_ files: [(name: String, content: [UInt8])]) -> [UInt8] {
    files.flatMap {
      Tar.header(name: $0.name, size: $0.content.count, seconds: 1_700_000_000) + $0.content
        + Tar.padding($0.content.count)
    } + Tar.end
  }

  /// A header with another type, its checksum made right again.
  static func header(_ name: String, type: Character, size: Int = 0) -> [UInt8] {
    changed(Tar.header(name: name, size: size, seconds: 0)) { $0[156] = type.asciiValue ?? 0 }
  }

  static func changed(_ header: [UInt8], _ change: (inout [UInt8]) -> Void) -> [UInt8] {
    var header = header
    change(&header)
    let sum = String(Tar.checksum(header), radix: 8)
    let digits = String(repeating: "0", count: 6 - sum.count) + sum
    for (index, byte) in digits.utf8.enumerated() { header[148 + index] = byte }
    return header
  }

  static func pax(_ record: String) -> [UInt8] {
    let bytes = Array("\(record.utf8.count + 3) \(record)\n".utf8)
    return header("PaxHeaders/x", type: "x", size: bytes.count) + bytes + Tar.padding(bytes.count)
  }

  /// Every file, read in pieces of `piece` bytes.
  static func read(
    _ bytes: [UInt8],
    piece: Int = .max
  ) throws(TarError) -> [(name: String, content: [UInt8])] {
    var reader = TarReader()
    var files: [(name: String, content: [UInt8])] = []
    var start = 0
    while start < bytes.count {
      let part = Array(bytes[start..<min(bytes.count, start + min(piece, bytes.count))])
      var offset = 0
      reading: while true {
        switch try reader.next(part.span, from: &offset) {
        case .begin(let name, let size):
          files.append((name, []))
          files[files.count - 1].content.reserveCapacity(size)
        case .data(let range): files[files.count - 1].content += part[range]
        case .end: break
        case .needMore: break reading
        }
      }
      start += part.count
    }
    try reader.finish()
    return files
  }

  static let files: [(name: String, content: [UInt8])] = [
    ("config.json", Array("{}".utf8)), ("empty", []), ("block", [UInt8](repeating: 7, count: 512)),
  ]

  @Test("an archive comes back in pieces of every size")
  func anArchiveComesBack() throws {
    let bytes = Self.archive(Self.files)
    #expect(bytes.count == Tar.archiveBytes(Self.files.map(\.content.count)))
    for piece in [1, 2, 3, 511, 512, 513, .max] {
      let back = try Self.read(bytes, piece: piece)
      #expect(back.map(\.name) == Self.files.map(\.name))
      #expect(back.map(\.content) == Self.files.map(\.content))
    }
    // As tar pads to a record of 20 blocks.
    #expect(try Self.read(bytes + [UInt8](repeating: 0, count: 8192)).count == 3)
  }

  @Test("an archive cut at any byte is refused")
  func aCutArchiveIsRefused() {
    let bytes = Self.archive([("config.json", Array("{}".utf8))])
    for count in 0..<bytes.count {
      #expect(throws: TarError.self) { try Self.read(Array(bytes[..<count])) }
    }
  }

  @Test("a header with any byte changed is refused")
  func aChangedHeaderIsRefused() {
    let bytes = Self.archive([("config.json", [1])])
    // The byte after the checksum's closing NUL says nothing.
    for index in 0..<512 where index != 155 {
      var changed = bytes
      changed[index] ^= 0x81
      #expect(throws: TarError.self, "\(index)") { try Self.read(changed) }
    }
  }

  @Test("links, folders, devices and strange sizes are refused")
  func whatIsNoPlainFileIsRefused() {
    for type in "123456LKSVX" {
      let bytes = Self.header("config.json", type: type) + Tar.end
      #expect(throws: TarError.self, "\(type)") { try Self.read(bytes) }
    }
    let plain = Tar.header(name: "config.json", size: 0, seconds: 0)
    for change: (inout [UInt8]) -> Void in [
      { $0[345] = UInt8(ascii: "a") }, { $0[0] = 0 }, { $0[0] = 0xFF },
      { $0[124] = 0x80 }, { $0[124] = UInt8(ascii: "8") },
      { for index in 124..<136 { $0[index] = 0 } },
    ] {
      #expect(throws: TarError.self) { try Self.read(Self.changed(plain, change) + Tar.end) }
    }
    let zero = [UInt8](repeating: 0, count: 512)
    #expect(throws: TarError.self) { try Self.read(zero + plain + Tar.end) }
    #expect(throws: TarError.self) { try Self.read(Tar.end + [1]) }
    let most = [UInt8](repeating: 0, count: 64 << 10)
    #expect(throws: Never.self) { try Self.read(Tar.end + most) }
    #expect(throws: TarError.self) { try Self.read(Tar.end + most + [0]) }
  }

  @Test("a pax header may give times, but no name and no size")
  func paxHeaders() throws {
    let file = Tar.header(name: "a", size: 0, seconds: 0) + Tar.end
    #expect(try Self.read(Self.pax("mtime=1.5") + file).map(\.name) == ["a"])
    #expect(try Self.read(Self.pax("mtime=1.5\n9 pathx=b") + file).map(\.name) == ["a"])
    for record in [
      "path=b", "size=1", "linkpath=b", "mtime=1.5\n9 path=b", "GNU.sparse.major=1",
    ] {
      #expect(throws: TarError.self, "\(record)") { try Self.read(Self.pax(record) + file) }
    }
    let long = Self.header("x", type: "x", size: (64 << 10) + 1)
    #expect(throws: TarError.self) { try Self.read(long) }
  }

  @Test("random bytes never crash the reader")
  func randomBytes() {
    var generator = Generator(seed: 5)
    var bytes = Self.archive(Self.files)
    for _ in 0..<500 {
      let index = Int.random(in: 0..<bytes.count, using: &generator)
      bytes[index] = UInt8.random(in: .min ... .max, using: &generator)
      _ = try? Self.read(bytes, piece: 100)
    }
  }
}
