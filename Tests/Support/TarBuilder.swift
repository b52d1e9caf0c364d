package import PluginStorage

/// Archives for tests, entry by entry: what `tar` packs, and what only an attacker would.
package enum TarBuilder {
  /// A header with a right checksum.
  package static func header(
    _ name: String,
    type: Character = "0",
    size: Int = 0,
    target: String = "",
    mode: String = "0000644",
    prefix: String = "",
    change: (inout [UInt8]) -> Void = { _ in }
  ) -> [UInt8] {
    var header = Tar.header(name: name, size: size, seconds: 0)
    func put(_ text: String, _ offset: Int) {
      for (index, byte) in text.utf8.enumerated() { header[offset + index] = byte }
    }
    put(mode, 100)
    header[156] = type.asciiValue ?? 0
    put(target, 157)
    put(prefix, 345)
    change(&header)
    Tar.seal(&header)
    return header
  }

  package static func file(
    _ name: String,
    _ content: String,
    mode: String = "0000644"
  ) -> [UInt8] { header(name, size: content.utf8.count, mode: mode) + padded(Array(content.utf8)) }

  package static func folder(_ name: String) -> [UInt8] { header(name, type: "5") }
  package static func link(_ name: String, _ target: String) -> [UInt8] {
    header(name, type: "2", target: target)
  }
  package static func same(_ name: String, _ target: String) -> [UInt8] {
    header(name, type: "1", target: target)
  }

  /// A pax header with one record, for the entry that follows.
  package static func pax(_ key: String, _ value: String, type: Character = "x") -> [UInt8] {
    let rest = " \(key)=\(value)\n"
    var length = rest.utf8.count + 1
    while "\(length)".utf8.count + rest.utf8.count != length { length += 1 }
    let bytes = Array("\(length)\(rest)".utf8)
    return header("PaxHeaders/x", type: type, size: bytes.count) + padded(bytes)
  }

  /// The long name of the entry that follows, as GNU tar has it.
  package static func long(_ name: String, type: Character = "L") -> [UInt8] {
    let bytes = Array(name.utf8) + [0]
    return header("././@LongLink", type: type, size: bytes.count) + padded(bytes)
  }

  /// The entries one after the other, and the end mark.
  package static func archive(_ entries: [UInt8]...) -> [UInt8] {
    entries.flatMap(\.self) + Tar.end
  }

  /// An archive of these files.
  package static func archive(_ files: [(name: String, content: [UInt8])]) -> [UInt8] {
    files.flatMap { header($0.name, size: $0.content.count) + padded($0.content) } + Tar.end
  }

  private static func padded(_ bytes: [UInt8]) -> [UInt8] { bytes + Tar.padding(bytes.count) }

  /// Every entry with its bytes, read in pieces of `piece` bytes.
  package static func read(
    _ bytes: [UInt8],
    piece: Int = .max
  ) throws(TarError) -> [(entry: TarEntry, content: [UInt8])] {
    var reader = TarReader()
    var entries: [(entry: TarEntry, content: [UInt8])] = []
    var start = 0
    while start < bytes.count {
      let part = Array(bytes[start..<min(bytes.count, start + min(piece, bytes.count))])
      var offset = 0
      reading: while true {
        switch try reader.next(part.span, from: &offset) {
        case .entry(let entry): entries.append((entry, []))
        case .data(let range): entries[entries.count - 1].content += part[range]
        case .endOfFile: break
        case .needMore: break reading
        }
      }
      start += part.count
    }
    try reader.finish()
    return entries
  }

  /// The names and bytes of what `read` gives, for an archive of files.
  package static func files(
    _ bytes: [UInt8]
  ) throws(TarError) -> [(name: String, content: [UInt8])] {
    try read(bytes).map { ($0.entry.path, $0.content) }
  }
}
