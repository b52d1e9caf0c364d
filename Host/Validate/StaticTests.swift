/// What can be said of a library without running any of it.
enum StaticTests {
  static let all = [
    ValidatorTest("static.file", "not a shared library of this machine, or a damaged one") {
      subject throws(ValidatorTest.Stop) in
      _ = try audit(subject)
      return ""
    },
    ValidatorTest(
      "static.exports",
      "symbols exported besides gw_plugin_entry, or that one missing",
      needs: ["static.file"],
      exports
    ),
    ValidatorTest(
      "static.imports",
      "symbols and libraries that are nowhere, and Swift bound to the host's runtime",
      needs: ["static.file"],
      imports
    ),
    ValidatorTest(
      "static.unique",
      "STB_GNU_UNIQUE symbols, which bind the code to the process for ever",
      needs: ["static.file"]
    ) { subject throws(ValidatorTest.Stop) in
      let audit = try symbols(subject)
      guard let first = audit.unique.first else { return "" }
      throw .failed(
        """
        \(audit.unique.count) unique symbols, \(first) among them, bind the code to the process for ever; compile with \
        -fno-gnu-unique or hide them.
        """
      )
    },
    ValidatorTest("static.stack", "a demand for an executable stack", needs: ["static.file"]) {
      subject throws(ValidatorTest.Stop) in
      guard try audit(subject).wantsExecutableStack == false else {
        throw .failed(
          """
          It demands an executable stack, which would make that of the whole gateway executable; link with \
          -z noexecstack, and end assembly files with a .note.GNU-stack section.
          """
        )
      }
      return ""
    },
    ValidatorTest("static.relocations", "relocations in its code", needs: ["static.file"]) {
      subject throws(ValidatorTest.Stop) in
      guard try !audit(subject).hasTextRelocations else {
        throw .failed("It has relocations in its code (DT_TEXTREL); compile every part with -fPIC.")
      }
      return ""
    },
    ValidatorTest("static.nodelete", "a mark against unloading", needs: ["static.file"]) {
      subject throws(ValidatorTest.Stop) in
      guard try !audit(subject).isNeverUnloaded else {
        throw .failed(
          "It is marked never to be unloaded (DF_1_NODELETE); link without -z nodelete."
        )
      }
      return ""
    },
    ValidatorTest(
      "static.sealed",
      "says whether a swap will unload it or keep it mapped, and why",
      needs: ["static.file"]
    ) { subject throws(ValidatorTest.Stop) in
      let bytes = try subject.bytes()
      guard let image = try? ELFImage(bytes.span) else { return "" }
      guard let tie = image.ties.first else { return "a swap will unload it" }
      return "a swap will retire it, its code stays mapped: \(tie)"
    },
  ]

  private static func audit(_ subject: LibrarySubject) throws(ValidatorTest.Stop) -> ELFAudit {
    let bytes = try subject.bytes()
    do throws(ELFImage.Refusal) { return try ELFAudit(bytes) } catch {
      throw .failed("The file \(error).")
    }
  }

  private static func symbols(_ subject: LibrarySubject) throws(ValidatorTest.Stop) -> ELFAudit {
    let audit = try audit(subject)
    guard audit.hasSymbols else {
      throw .skipped("its section headers are stripped, so that its symbols cannot be listed")
    }
    return audit
  }

  private static let exports: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let names = try symbols(subject).exports
    guard names.contains("gw_plugin_entry") else {
      throw .failed(
        "It exports no gw_plugin_entry; define it with GW_EXPORT (visibility default, C linkage)."
      )
    }
    // What linkers define by themselves in every library.
    let ofTheLinker = ["_init", "_fini", "_end", "_edata", "_etext", "__bss_start"]
    let others = names.filter { $0 != "gw_plugin_entry" && !ofTheLinker.contains($0) }.sorted()
    guard !others.isEmpty else { return "" }
    let shown = others.prefix(3).joined(separator: ", ")
    throw .failed(
      """
      It exports \(others.count) symbols besides gw_plugin_entry: \(shown)\(others.count > 3 ? ", …" : ""). Compile \
      with -fvisibility=hidden, or link with --version-script=PluginSDK/plugin.map.
      """
    )
  }

  private static let imports: ValidatorTest.Body = { subject throws(ValidatorTest.Stop) in
    let audit = try symbols(subject)
    let libraries = NeededLibraries(of: audit, path: subject.path)
    var faults = libraries.missing.map {
      "It needs \($0), which this machine does not have; install it, or link it statically."
    }
    let open = audit.undefined.filter { !$0.isWeak && !libraries.symbols.contains($0.name) }
    let swift = open.filter { ELFImage.isSwift($0.name) }
    if let first = swift.first {
      faults.append(
        """
        \(swift.count) Swift symbols, \(first.name) among them, are left to whoever loads it and would be bound to \
        the host's runtime; compile its target and link it with -static-stdlib and -z defs.
        """
      )
    }
    let others = open.filter { !ELFImage.isSwift($0.name) }
    if let first = others.first, libraries.missing.isEmpty {
      faults.append(
        """
        \(others.count) symbols, \(first.name) among them, are in none of the libraries it needs; link with -z defs \
        to see them all, and name the libraries that have them.
        """
      )
    }
    try ValidatorTest.Stop.unless(faults)
    return ""
  }
}
