/// Takes a tar archive apart as it arrives: files, folders and links, as ustar, GNU tar and pax (POSIX.1-2001) write them.
///
/// What an entry says is told as it stands; whether it is taken, its reader decides. At most a header and what extends it
/// are held in memory.
package struct TarReader: Sendable {
  /// The most bytes of a header that only extends the next one, and of the zeros after the end: archives are filled up
  /// to a multiple of some block.
  private static let maxExtraBytes = 64 << 10
  /// The most headers that extend one entry.
  private static let maxExtensions = 4

  /// What comes next.
  package enum Event: Equatable {
    /// An entry; a file's bytes follow it.
    case entry(TarEntry)
    /// Bytes of the file: this range of what was given.
    case data(Range<Int>)
    /// The file is whole.
    case endOfFile
    /// More bytes are needed.
    case needMore
  }

  private enum State {
    case header
    case file(left: Int, size: Int)
    case extending(type: UInt8, left: Int)
    case padding(left: Int)
    case zeroBlock
    case after(bytes: Int)
  }

  private var state = State.header
  private var pending: [UInt8] = []
  /// Said by an extension of the entry that comes next.
  private var path: String?
  private var target: String?
  private var extensions = 0

  /// An archive of which nothing has come.
  package init() {}

  /// Reads on.
  ///
  /// - Parameters:
  ///   - bytes: What has come; the whole of it until it is used up.
  ///   - offset: Where reading goes on; moved past what was used.
  /// - Returns: What came.
  /// - Throws: `TarError` at the first byte that decides it.
  package mutating func next(
    _ bytes: Span<UInt8>,
    from offset: inout Int
  ) throws(TarError) -> Event {
    while true {
      switch state {
      case .file(let left, let size):
        if left == 0 {
          state = .padding(left: Tar.gap(size))
          return .endOfFile
        }
        let count = min(left, bytes.count - offset)
        guard count > 0 else { return .needMore }
        state = .file(left: left - count, size: size)
        defer { offset += count }
        return .data(offset..<offset + count)
      case .extending(let type, let size):
        guard take(size, bytes, &offset) else { return .needMore }
        try extend(type)
        state = .padding(left: Tar.gap(size))
      case .padding(let left):
        let count = min(left, bytes.count - offset)
        offset += count
        state = left == count ? .header : .padding(left: left - count)
        if left > count { return .needMore }
      case .header, .zeroBlock:
        guard take(Tar.block, bytes, &offset) else { return .needMore }
        let header = pending
        pending = []
        if let entry = try begin(header) { return .entry(entry) }
      case .after(let count):
        guard offset < bytes.count else { return .needMore }
        guard count < Self.maxExtraBytes, bytes[offset] == 0 else { throw .bytesAfterEnd }
        offset += 1
        state = .after(bytes: count + 1)
      }
    }
  }

  /// Checks that the archive is whole: its end has come.
  package func finish() throws(TarError) {
    guard case .after = state else { throw .noEnd }
  }

  /// Collects `count` bytes in `pending`; false when more are needed.
  private mutating func take(_ count: Int, _ bytes: Span<UInt8>, _ offset: inout Int) -> Bool {
    let end = min(bytes.count, offset + count - pending.count)
    unsafe bytes.extracting(offset..<end).withUnsafeBufferPointer {
      unsafe pending.append(contentsOf: $0)
    }
    offset = end
    return pending.count == count
  }
}

// MARK: - Headers

extension TarReader {
  /// What a header begins; `nil` when nothing is told of it.
  private mutating func begin(_ header: [UInt8]) throws(TarError) -> TarEntry? {
    if header.allSatisfy({ $0 == 0 }) {
      if case .zeroBlock = state { state = .after(bytes: 0) } else { state = .zeroBlock }
      return nil
    }
    if case .zeroBlock = state { throw .entryAfterEnd }
    guard header[257..<262].elementsEqual("ustar".utf8) else { throw .notAnArchive }
    guard Self.octal(header[148..<156]) == Tar.checksum(header) else { throw .wrongChecksum }
    guard let size = Self.octal(header[124..<136]) else { throw .unreadableSize }
    let type = header[156]
    switch type {
    case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"):
      extensions += 1
      guard size <= Self.maxExtraBytes, extensions <= Self.maxExtensions else {
        throw .longExtension
      }
      state = .extending(type: type, left: size)
      return nil
    default:
      return try entry(header, type, size)
    }
  }

  private mutating func entry(
    _ header: [UInt8],
    _ type: UInt8,
    _ size: Int
  ) throws(TarError) -> TarEntry {
    guard let name = path ?? Self.name(header) else { throw .notText(of: "the name of an entry") }
    let kind: TarEntry.Kind
    switch type {
    case UInt8(ascii: "0"), 0:
      // An old form of folder: a file whose name ends with a slash.
      if name.hasSuffix("/") {
        kind = .folder
      } else {
        let mode = Self.octal(header[100..<108]) ?? 0
        kind = .file(size: size, isExecutable: mode & 0o111 != 0)
      }
    case UInt8(ascii: "5"): kind = .folder
    case UInt8(ascii: "1"), UInt8(ascii: "2"):
      guard let target = target ?? Self.text(header[157..<257]) else {
        throw .notText(of: "the target of a link")
      }
      kind = type == UInt8(ascii: "2") ? .link(target) : .sameAs(target)
    default: kind = .special
    }
    path = nil
    target = nil
    extensions = 0
    switch kind {
    case .file: state = .file(left: size, size: size)
    case .special: state = .padding(left: size + Tar.gap(size))
    case .folder, .link, .sameAs:
      guard size == 0 else { throw .bytesOfNoFile(path: name) }
      state = .header
    }
    return TarEntry(name, kind)
  }

  /// The name in a header, with its first part where ustar has it; GNU tar keeps times there.
  private static func name(_ header: [UInt8]) -> String? {
    guard let name = text(header[0..<100]) else { return nil }
    guard header[262] == 0, header[345] != 0 else { return name }
    return text(header[345..<500]).map { "\($0)/\(name)" }
  }

  /// Takes what an extending header says of the next entry.
  private mutating func extend(_ type: UInt8) throws(TarError) {
    let bytes = pending
    pending = []
    switch type {
    case UInt8(ascii: "L"), UInt8(ascii: "K"):
      guard let text = Self.text(bytes[...]) else { throw .notText(of: "a long name") }
      if type == UInt8(ascii: "L") { path = text } else { target = text }
    default: try extendByRecords(bytes, isGlobal: type == UInt8(ascii: "g"))
    }
  }

  /// Records `LENGTH KEY=VALUE\n` (POSIX.1-2001, pax); those that do not say where or what a file is do not matter.
  private mutating func extendByRecords(_ bytes: [UInt8], isGlobal: Bool) throws(TarError) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let digits = rest.prefix { $0 != UInt8(ascii: " ") }
      guard let length = String(validating: digits, as: UTF8.self).flatMap({ Int($0) }),
        length > digits.count + 2, length <= rest.count,
        rest[rest.startIndex + length - 1] == UInt8(ascii: "\n")
      else { throw .damagedExtension }
      let record = rest[(rest.startIndex + digits.count + 1)..<(rest.startIndex + length - 1)]
      rest = rest[(rest.startIndex + length)...]
      let key = String(decoding: record.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
      let value = record.drop { $0 != UInt8(ascii: "=") }.dropFirst()
      guard ["path", "linkpath", "size"].contains(key) || key.hasPrefix("GNU.sparse") else {
        continue
      }
      guard !isGlobal, key == "path" || key == "linkpath",
        let text = String(validating: value, as: UTF8.self)
      else { throw .extensionGives(key) }
      if key == "path" { path = text } else { target = text }
    }
  }

  /// Octal digits between spaces or before a NUL.
  private static func octal(_ field: ArraySlice<UInt8>) -> Int? {
    let digits = field.drop { $0 == UInt8(ascii: " ") }
      .prefix { $0 != 0 && $0 != UInt8(ascii: " ") }
    guard (1...12).contains(digits.count) else { return nil }
    var value = 0
    for digit in digits {
      guard (UInt8(ascii: "0")...UInt8(ascii: "7")).contains(digit) else { return nil }
      value = value << 3 | Int(digit - UInt8(ascii: "0"))
    }
    return value
  }

  private static func text(_ field: ArraySlice<UInt8>) -> String? {
    String(validating: field.prefix { $0 != 0 }, as: UTF8.self)
  }
}
