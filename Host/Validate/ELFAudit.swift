/// What a library's file says of itself, as far as its author can be told something about it.
struct ELFAudit: Sendable {
  struct Undefined: Sendable {
    let name: String
    /// May stay without a definition.
    let isWeak: Bool
  }

  /// Symbols that others can bind to.
  private(set) var exports: [String] = []
  private(set) var undefined: [Undefined] = []
  /// STB_GNU_UNIQUE: one for the whole process, for ever.
  private(set) var unique: [String] = []
  private(set) var needed: [String] = []
  /// Where it looks for needed libraries itself, in order.
  private(set) var searchPaths: [String] = []
  private(set) var hasTextRelocations = false
  private(set) var isNeverUnloaded = false
  /// Whether its stack must be executable; `nil` when it does not say, which Linux takes for yes.
  private(set) var wantsExecutableStack: Bool?
  /// Whether its symbols can be read at all.
  private(set) var hasSymbols = false

  /// Reads a library.
  ///
  /// - Parameter bytes: Of the file.
  /// - Throws: `ELFImage.Refusal` when it is no library of this machine, or a damaged one.
  init(_ bytes: [UInt8]) throws(ELFImage.Refusal) {
    let file = bytes.span
    let elf = try ELFFile(file)
    for (type, flags) in try elf.segments(file) where type == 0x6474_E551 {  // PT_GNU_STACK
      wantsExecutableStack = flags & 1 != 0
    }
    hasSymbols = elf.section(type: 11) != nil && elf.section(type: 6) != nil
    for (tag, value) in try elf.dynamicEntries(file) {
      switch tag {
      case 1: needed.append(try elf.dynamicText(file, at: value))
      case 15, 29:  // DT_RPATH, DT_RUNPATH
        searchPaths += try elf.dynamicText(file, at: value).split(separator: ":").map(String.init)
      case 22: hasTextRelocations = true  // DT_TEXTREL
      case 30 where value & 4 != 0: hasTextRelocations = true  // DT_FLAGS, DF_TEXTREL
      case 0x6FFF_FFFB where value & 8 != 0: isNeverUnloaded = true  // DT_FLAGS_1, DF_1_NODELETE
      default: break
      }
    }
    for symbol in try elf.dynamicSymbols(file) where symbol.binding != 0 && !symbol.name.isEmpty {
      guard symbol.isDefined else {
        undefined.append(Undefined(name: symbol.name, isWeak: symbol.binding == 2))
        continue
      }
      if symbol.visibility == 0 || symbol.visibility == 3 { exports.append(symbol.name) }
      if symbol.binding == ELFFile.uniqueBinding { unique.append(symbol.name) }
    }
  }
}
