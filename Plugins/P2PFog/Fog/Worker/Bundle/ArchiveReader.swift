/// Takes a tar archive apart as it arrives: files, folders and links, as ustar, GNU tar and pax (POSIX.1-2001) write them.
///
/// What an entry says is told as it stands; whether it is taken, `BundleRules` decides. Devices, sparse files, and sizes
/// that are no octal number are refused here.
package struct ArchiveReader: Sendable {
  /// What headers and files are padded to.
  package static let block = 512
  /// Bytes of a header that only extends the next one.
  private static let maxExtension = 64 << 10
  /// Zeros after the end; archives are filled up to a multiple of some block.
  private static let maxAfter = 1 << 20

  /// What comes next.
  package enum Event: Equatable {
    /// An entry; a file's bytes follow it.
    case entry(BundleEntry)
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
  /// - Throws: `BundleFault` at the first byte that decides it.
  package mutating func next(
    _ bytes: Span<UInt8>,
    from offset: inout Int
  ) throws(BundleFault) -> Event {
    while true {
      switch state {
      case .file(let left, let size):
        if left == 0 {
          state = .padding(left: Self.padding(size))
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
        state = .padding(left: Self.padding(size))
      case .padding(let left):
        let count = min(left, bytes.count - offset)
        offset += count
        state = left == count ? .header : .padding(left: left - count)
        if left > count { return .needMore }
      case .header, .zeroBlock:
        guard take(Self.block, bytes, &offset) else { return .needMore }
        let header = pending
        pending = []
        if let entry = try begin(header) { return .entry(entry) }
      case .after(let count):
        guard offset < bytes.count else { return .needMore }
        guard count < Self.maxAfter, bytes[offset] == 0 else {
          throw BundleFault("Something follows the end of the archive.")
        }
        offset += 1
        state = .after(bytes: count + 1)
      }
    }
  }

  /// Checks that the archive is whole: its end has come.
  package func finish() throws(BundleFault) {
    guard case .after = state else {
      throw BundleFault("The archive ends before its end mark; upload it again.")
    }
  }

  private static func padding(_ size: Int) -> Int { (block - size % block) % block }

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

extension ArchiveReader {
  /// What a header begins; `nil` when nothing is told of it.
  private mutating func begin(_ header: [UInt8]) throws(BundleFault) -> BundleEntry? {
    if header.allSatisfy({ $0 == 0 }) {
      if case .zeroBlock = state { state = .after(bytes: 0) } else { state = .zeroBlock }
      return nil
    }
    if case .zeroBlock = state { throw BundleFault("An entry follows the end of the archive.") }
    guard header[257..<262].elementsEqual("ustar".utf8) else {
      throw BundleFault("The bundle is no tar archive (with or without gzip) of the form ustar.")
    }
    guard Self.octal(header[148..<156]) == Self.checksum(header) else {
      throw BundleFault("A header's checksum is wrong; upload the bundle again.")
    }
    guard let size = Self.octal(header[124..<136]) else {
      throw BundleFault("The size of an entry is no octal number.")
    }
    let type = header[156]
    switch type {
    case UInt8(ascii: "x"), UInt8(ascii: "g"), UInt8(ascii: "L"), UInt8(ascii: "K"):
      extensions += 1
      guard size <= Self.maxExtension, extensions <= 4 else {
        throw BundleFault("The headers before an entry are too long.")
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
  ) throws(BundleFault) -> BundleEntry {
    guard let name = path ?? Self.name(header) else {
      throw BundleFault("The name of an entry is not UTF-8.")
    }
    let kind: BundleEntry.Kind
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
        throw BundleFault("The target of the link \(Self.shown(name)) is not UTF-8.")
      }
      kind = type == UInt8(ascii: "2") ? .link(target) : .sameAs(target)
    default:
      throw BundleFault(
        "\(Self.shown(name)) is a device, a pipe or of a kind that is not taken; pack files, folders and links."
      )
    }
    path = nil
    target = nil
    extensions = 0
    if case .file = kind {
      state = .file(left: size, size: size)
    } else {
      guard size == 0 else {
        throw BundleFault("\(Self.shown(name)) is no file and says that it has bytes.")
      }
      state = .header
    }
    return BundleEntry(name, kind)
  }

  /// The name in a header, with its first part where ustar has it; GNU tar keeps times there.
  private static func name(_ header: [UInt8]) -> String? {
    guard let name = text(header[0..<100]) else { return nil }
    guard header[262] == 0, header[345] != 0 else { return name }
    return text(header[345..<500]).map { "\($0)/\(name)" }
  }

  /// Takes what an extending header says of the next entry.
  private mutating func extend(_ type: UInt8) throws(BundleFault) {
    let bytes = pending
    pending = []
    switch type {
    case UInt8(ascii: "L"), UInt8(ascii: "K"):
      guard let text = Self.text(bytes[...]) else {
        throw BundleFault("A long name is not UTF-8.")
      }
      if type == UInt8(ascii: "L") { path = text } else { target = text }
    default: try extendByRecords(bytes, isGlobal: type == UInt8(ascii: "g"))
    }
  }

  /// Records `LENGTH KEY=VALUE\n` (POSIX.1-2001, pax); those that do not say where or what a file is do not matter.
  private mutating func extendByRecords(_ bytes: [UInt8], isGlobal: Bool) throws(BundleFault) {
    var rest = bytes[...]
    while !rest.isEmpty {
      let digits = rest.prefix { $0 != UInt8(ascii: " ") }
      guard let length = String(validating: digits, as: UTF8.self).flatMap({ Int($0) }),
        length > digits.count + 2, length <= rest.count,
        rest[rest.startIndex + length - 1] == UInt8(ascii: "\n")
      else { throw BundleFault("A pax header is damaged.") }
      let record = rest[(rest.startIndex + digits.count + 1)..<(rest.startIndex + length - 1)]
      rest = rest[(rest.startIndex + length)...]
      let key = String(decoding: record.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
      let value = record.drop { $0 != UInt8(ascii: "=") }.dropFirst()
      guard ["path", "linkpath", "size"].contains(key) || key.hasPrefix("GNU.sparse") else {
        continue
      }
      guard !isGlobal, key == "path" || key == "linkpath",
        let text = String(validating: value, as: UTF8.self)
      else { throw BundleFault("A pax header gives \(key); pack the bundle as ustar.") }
      if key == "path" { path = text } else { target = text }
    }
  }

  /// The sum of a header's bytes, its own field taken as spaces.
  package static func checksum(_ header: [UInt8]) -> Int {
    header.enumerated().reduce(0) { sum, element in
      sum + ((148..<156).contains(element.offset) ? 32 : Int(element.element))
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

  /// A name as a sentence shows it.
  private static func shown(_ name: String) -> String { String(name.prefix(200)).debugDescription }

  private static func text(_ field: ArraySlice<UInt8>) -> String? {
    String(validating: field.prefix { $0 != 0 }, as: UTF8.self)
  }
}
