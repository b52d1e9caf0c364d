/// What the host must know of a shared library before it lets the dynamic linker run any of its code.
///
/// Read from the file's ELF structures (ELF-64 specification; section headers for the dynamic symbols). Every offset
/// is checked against the file's size: the file may be cut or forged.
package struct ELFImage: Sendable, Equatable {
  package enum Refusal: Error, Equatable {
    case notELF
    case truncated
    case notSixtyFourBit
    case otherMachine(UInt16)
    case notShared(UInt16)
  }

  /// Names under DT_NEEDED: the libraries it is linked to.
  package private(set) var needed: [String] = []
  /// Whether it defines `gw_plugin_entry`.
  package private(set) var hasEntry = false
  /// Why code of this image must stay mapped for ever; empty when it can be unmapped.
  package private(set) var ties: [String] = []

  #if arch(x86_64)
  private static let machine: UInt16 = 62
  #elseif arch(arm64)
  private static let machine: UInt16 = 183
  #endif

  private struct Section {
    let type: UInt32
    let name: Int
    let offset: Int
    let size: Int
    let link: Int
  }

  package init(_ file: Span<UInt8>) throws(Refusal) {
    try Self.checkHeader(file)
    let sections = try Self.sections(file)
    guard let symbols = sections.first(where: { $0.type == 11 }),
      let dynamic = sections.first(where: { $0.type == 6 })
    else {
      // Without section headers nothing can be said about its symbols: open it, never unmap it.
      hasEntry = true
      ties.append("its section headers are stripped")
      return
    }
    try readDynamic(file, dynamic, strings: Self.strings(of: dynamic, in: sections))
    try readSymbols(file, symbols, strings: Self.strings(of: symbols, in: sections))
    try readNames(file, sections)
  }

  private static func checkHeader(_ file: Span<UInt8>) throws(Refusal) {
    guard file.count >= 4, file[0] == 0x7F, file[1] == UInt8(ascii: "E"),
      file[2] == UInt8(ascii: "L"), file[3] == UInt8(ascii: "F")
    else { throw .notELF }
    guard file.count >= 64 else { throw .truncated }
    guard file[4] == 2, file[5] == 1 else { throw .notSixtyFourBit }
    let type = try UInt16(truncatingIfNeeded: number(file, 16, bytes: 2))
    guard type == 3 else { throw .notShared(type) }
    let machine = try UInt16(truncatingIfNeeded: number(file, 18, bytes: 2))
    guard machine == Self.machine else { throw .otherMachine(machine) }
  }

  private static func sections(_ file: Span<UInt8>) throws(Refusal) -> [Section] {
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

  private static func strings(of section: Section, in sections: [Section]) throws(Refusal)
    -> Section
  {
    guard section.link < sections.count else { throw .truncated }
    return sections[section.link]
  }

  private mutating func readDynamic(
    _ file: Span<UInt8>,
    _ dynamic: Section,
    strings: Section
  ) throws(Refusal) {
    for entry in 0..<(dynamic.size / 16) {
      let at = try Self.sum(dynamic.offset, entry * 16)
      let value = try Self.number(file, Self.sum(at, 8), bytes: 8)
      switch try Self.number(file, at, bytes: 8) {
      case 0: return
      case 1:
        let name = try Self.text(file, strings, at: value)
        needed.append(name)
        if Self.runtimes.contains(where: { name.hasPrefix($0) }) {
          ties.append("it shares \(name) with the process")
        }
      case 0x6FFF_FFFB where value & 8 != 0:  // DT_FLAGS_1, DF_1_NODELETE
        ties.append("it was linked with -z nodelete")
      default: break
      }
    }
  }

  // Runtimes that keep pointers into every image that uses them.
  private static let runtimes = [
    "libswift", "libFoundation", "lib_Foundation", "libdispatch", "libBlocksRuntime",
  ]

  private mutating func readSymbols(
    _ file: Span<UInt8>,
    _ symbols: Section,
    strings: Section
  ) throws(Refusal) {
    var swift: String?
    var unique: String?
    for index in 0..<(symbols.size / 24) {
      let at = try Self.sum(symbols.offset, index * 24)
      let name = try Self.text(file, strings, at: Self.number(file, at, bytes: 4))
      let binding = try Self.number(file, Self.sum(at, 4), bytes: 1) >> 4
      let isDefined = try Self.number(file, Self.sum(at, 6), bytes: 2) != 0
      if isDefined {
        if name == "gw_plugin_entry" { hasEntry = true }
        if binding == 10 { unique = unique ?? name }  // STB_GNU_UNIQUE
      } else if name.hasPrefix("$s") || name.hasPrefix("swift_") || name.hasPrefix("_swift") {
        swift = swift ?? name
      }
    }
    if let swift { ties.append("it takes \(swift) from a Swift runtime outside itself") }
    if let unique { ties.append("its unique symbol \(unique) is bound for the whole process") }
  }

  private mutating func readNames(_ file: Span<UInt8>, _ sections: [Section]) throws(Refusal) {
    let index = try Self.number(file, 62, bytes: 2)
    guard index < sections.count else { return }
    for section in sections
    where try Self.text(file, sections[index], at: section.name) == ".go.buildinfo" {
      ties.append("the Go runtime in it has threads that never end")
      return
    }
  }

  private static func sum(_ one: Int, _ other: Int) throws(Refusal) -> Int {
    let (sum, overflows) = one.addingReportingOverflow(other)
    guard !overflows, one >= 0, other >= 0 else { throw .truncated }
    return sum
  }

  private static func number(_ file: Span<UInt8>, _ offset: Int, bytes: Int) throws(Refusal) -> Int
  {
    guard offset >= 0, offset <= file.count - bytes else { throw .truncated }
    var value: UInt64 = 0
    for index in (0..<bytes).reversed() { value = value << 8 | UInt64(file[offset + index]) }
    // Offsets and sizes beyond Int are beyond every file; tags are compared within Int's range.
    return Int(truncatingIfNeeded: value & UInt64(Int.max))
  }

  private static func text(_ file: Span<UInt8>, _ strings: Section, at index: Int) throws(Refusal)
    -> String
  {
    guard index < strings.size else { throw .truncated }
    var at = try sum(strings.offset, index)
    let end = min(try sum(strings.offset, strings.size), file.count)
    var bytes: [UInt8] = []
    while at < end, file[at] != 0 {
      bytes.append(file[at])
      at += 1
    }
    guard at < end else { throw .truncated }
    return String(decoding: bytes, as: UTF8.self)
  }
}

extension ELFImage.Refusal: CustomStringConvertible {
  package var description: String {
    switch self {
    case .notELF: "is not a shared library (no ELF header); name a .so file"
    case .truncated: "is cut off or damaged: its ELF tables reach beyond its end"
    case .notSixtyFourBit: "is not a 64-bit little-endian library"
    case .otherMachine(let machine): "was built for another processor (ELF machine \(machine))"
    case .notShared(let type):
      "is an ELF file but not a shared library (type \(type)); link it with -shared"
    }
  }
}
