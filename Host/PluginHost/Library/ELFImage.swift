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

  package init(_ file: Span<UInt8>) throws(Refusal) {
    let elf = try ELFFile(file)
    guard elf.section(type: 11) != nil, elf.section(type: 6) != nil else {
      // Without section headers nothing can be said about its symbols: open it, never unmap it.
      hasEntry = true
      ties.append("its section headers are stripped")
      return
    }
    try readDynamic(elf, file)
    try readSymbols(elf, file)
    if try elf.sectionNames(file).contains(".go.buildinfo") {
      ties.append("the Go runtime in it has threads that never end")
    }
  }

  private mutating func readDynamic(_ elf: ELFFile, _ file: Span<UInt8>) throws(Refusal) {
    for (tag, value) in try elf.dynamicEntries(file) {
      switch tag {
      case 1:
        let name = try elf.dynamicText(file, at: value)
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

  private mutating func readSymbols(_ elf: ELFFile, _ file: Span<UInt8>) throws(Refusal) {
    var swift: String?
    var unique: String?
    for symbol in try elf.dynamicSymbols(file) {
      if symbol.isDefined {
        if symbol.name == "gw_plugin_entry" { hasEntry = true }
        if symbol.binding == ELFFile.uniqueBinding { unique = unique ?? symbol.name }
      } else if Self.isSwift(symbol.name) {
        swift = swift ?? symbol.name
      }
    }
    if let swift { ties.append("it takes \(swift) from a Swift runtime outside itself") }
    if let unique { ties.append("its unique symbol \(unique) is bound for the whole process") }
  }

  /// Whether a symbol is of Swift code or its runtime.
  static func isSwift(_ name: String) -> Bool {
    name.hasPrefix("$s") || name.hasPrefix("swift_") || name.hasPrefix("_swift")
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
