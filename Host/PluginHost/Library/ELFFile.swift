/// The structures of one ELF-64 file, read where they are asked for.
///
/// Every offset is checked against the file's size: the file may be cut or forged. The bytes are passed in each time,
/// as a value that keeps a span cannot be written yet.
struct ELFFile {
  struct Section {
    let type: UInt32
    let name: Int
    let offset: Int
    let size: Int
    let link: Int
  }

  /// One entry of the dynamic symbol table.
  struct Symbol {
    let name: String
    /// STB_*: 0 local, 1 global, 2 weak, 10 unique in the process.
    let binding: Int
    /// STV_*: 0 default, 1 internal, 2 hidden, 3 protected.
    let visibility: Int
    let isDefined: Bool
  }

  static let uniqueBinding = 10

  /// Empty when the section headers are stripped.
  let sections: [Section]

  #if arch(x86_64)
  private static let machine = 62
  #elseif arch(arm64)
  private static let machine = 183
  #endif

  init(_ file: Span<UInt8>) throws(ELFImage.Refusal) {
    try Self.checkHeader(file)
    sections = try Self.sections(file)
  }

  /// The first section of one type; `nil` when there is none.
  func section(type: UInt32) -> Section? { sections.first { $0.type == type } }

  /// The section that `section` links to: for symbols and dynamic entries, their strings.
  func linked(_ section: Section) throws(ELFImage.Refusal) -> Section {
    guard section.link < sections.count else { throw .truncated }
    return sections[section.link]
  }

  /// Names of all sections; none when the table of names is stripped.
  func sectionNames(_ file: Span<UInt8>) throws(ELFImage.Refusal) -> [String] {
    let index = try Self.number(file, 62, bytes: 2)
    guard index < sections.count else { return [] }
    var names: [String] = []
    for section in sections { names.append(try text(file, sections[index], at: section.name)) }
    return names
  }

  /// Tags and values of the dynamic section, in order; none when there is no such section.
  func dynamicEntries(_ file: Span<UInt8>) throws(ELFImage.Refusal) -> [(tag: Int, value: Int)] {
    guard let dynamic = section(type: 6) else { return [] }
    var entries: [(tag: Int, value: Int)] = []
    for entry in 0..<(dynamic.size / 16) {
      let at = try Self.sum(dynamic.offset, entry * 16)
      let tag = try Self.number(file, at, bytes: 8)
      if tag == 0 { break }
      entries.append((tag, try Self.number(file, Self.sum(at, 8), bytes: 8)))
    }
    return entries
  }

  /// The text that the dynamic section means by `offset`.
  func dynamicText(_ file: Span<UInt8>, at offset: Int) throws(ELFImage.Refusal) -> String {
    guard let dynamic = section(type: 6) else { throw .truncated }
    return try text(file, linked(dynamic), at: offset)
  }

  /// The dynamic symbols without the empty first one; none when there is no table of them.
  func dynamicSymbols(_ file: Span<UInt8>) throws(ELFImage.Refusal) -> [Symbol] {
    guard let table = section(type: 11) else { return [] }
    let strings = try linked(table)
    var symbols: [Symbol] = []
    for index in 1..<max(table.size / 24, 1) {
      let at = try Self.sum(table.offset, index * 24)
      symbols.append(
        Symbol(
          name: try text(file, strings, at: Self.number(file, at, bytes: 4)),
          binding: try Self.number(file, Self.sum(at, 4), bytes: 1) >> 4,
          visibility: try Self.number(file, Self.sum(at, 5), bytes: 1) & 3,
          isDefined: try Self.number(file, Self.sum(at, 6), bytes: 2) != 0
        )
      )
    }
    return symbols
  }

  /// Types and flags of the program headers.
  func segments(_ file: Span<UInt8>) throws(ELFImage.Refusal) -> [(type: Int, flags: Int)] {
    let table = try Self.number(file, 32, bytes: 8)
    let size = try Self.number(file, 54, bytes: 2)
    let count = try Self.number(file, 56, bytes: 2)
    var segments: [(type: Int, flags: Int)] = []
    for index in 0..<count {
      let at = try Self.sum(table, index * size)
      segments.append(
        (
          try Self.number(file, at, bytes: 4),
          try Self.number(file, Self.sum(at, 4), bytes: 4)
        )
      )
    }
    return segments
  }

  private static func checkHeader(_ file: Span<UInt8>) throws(ELFImage.Refusal) {
    guard file.count >= 4, file[0] == 0x7F, file[1] == UInt8(ascii: "E"),
      file[2] == UInt8(ascii: "L"), file[3] == UInt8(ascii: "F")
    else { throw .notELF }
    guard file.count >= 64 else { throw .truncated }
    guard file[4] == 2, file[5] == 1 else { throw .notSixtyFourBit }
    let type = try number(file, 16, bytes: 2)
    guard type == 3 else { throw .notShared(UInt16(truncatingIfNeeded: type)) }
    let machine = try number(file, 18, bytes: 2)
    guard machine == Self.machine else {
      throw .otherMachine(UInt16(truncatingIfNeeded: machine))
    }
  }

  private static func sections(_ file: Span<UInt8>) throws(ELFImage.Refusal) -> [Section] {
    let table = try number(file, 40, bytes: 8)
    let size = try number(file, 58, bytes: 2)
    let count = try number(file, 60, bytes: 2)
    guard table > 0, count > 0 else { return [] }
    guard size >= 64 else { throw .truncated }
    var sections: [Section] = []
    for index in 0..<count {
      let at = try sum(table, index * size)
      sections.append(
        Section(
          type: try UInt32(truncatingIfNeeded: number(file, sum(at, 4), bytes: 4)),
          name: try number(file, at, bytes: 4),
          offset: try number(file, sum(at, 24), bytes: 8),
          size: try number(file, sum(at, 32), bytes: 8),
          link: try number(file, sum(at, 40), bytes: 4)
        )
      )
    }
    return sections
  }

  private static func sum(_ one: Int, _ other: Int) throws(ELFImage.Refusal) -> Int {
    let (sum, overflows) = one.addingReportingOverflow(other)
    guard !overflows, one >= 0, other >= 0 else { throw .truncated }
    return sum
  }

  private static func number(
    _ file: Span<UInt8>,
    _ offset: Int,
    bytes: Int
  ) throws(ELFImage.Refusal) -> Int {
    guard offset >= 0, offset <= file.count - bytes else { throw .truncated }
    var value: UInt64 = 0
    for index in (0..<bytes).reversed() { value = value << 8 | UInt64(file[offset + index]) }
    // Offsets and sizes beyond Int are beyond every file; tags are compared within Int's range.
    return Int(truncatingIfNeeded: value & UInt64(Int.max))
  }

  private func text(
    _ file: Span<UInt8>,
    _ strings: Section,
    at index: Int
  ) throws(ELFImage.Refusal) -> String {
    guard index < strings.size else { throw .truncated }
    var at = try Self.sum(strings.offset, index)
    let end = min(try Self.sum(strings.offset, strings.size), file.count)
    var bytes: [UInt8] = []
    while at < end, file[at] != 0 {
      bytes.append(file[at])
      at += 1
    }
    guard at < end else { throw .truncated }
    return String(decoding: bytes, as: UTF8.self)
  }
}
