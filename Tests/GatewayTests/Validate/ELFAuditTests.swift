import Testing

@testable import Gateway

@Suite("What a library's file says of itself")
struct ELFAuditTests {
  private func bytes(_ fixture: String) throws -> [UInt8] {
    try FileBytes.read(try Fixtures.library(fixture), limit: 1 << 24)
  }

  @Test func `exports, imports and stack of a plain library are read`() throws {
    let audit = try ELFAudit(try bytes("good"))
    #expect(audit.hasSymbols)
    #expect(audit.exports.contains("gw_plugin_entry"))
    #expect(audit.undefined.contains { $0.name == "malloc" && !$0.isWeak })
    #expect(audit.needed == ["libc.so.6"])
    #expect(audit.wantsExecutableStack == false)
    #expect(!audit.hasTextRelocations && !audit.isNeverUnloaded && audit.unique.isEmpty)
  }

  @Test func `a cut file is refused or read, never read past its end`() throws {
    let whole = try bytes("no_entry")
    for count in stride(from: 0, to: whole.count, by: 11) {
      _ = try? ELFAudit(Array(whole.prefix(count)))
    }
    #expect(throws: ELFImage.Refusal.notELF) { try ELFAudit([]) }
  }

  @Test func `forged tables are refused or read`() throws {
    let whole = try bytes("no_entry")
    for offset in 32..<64 {
      for value in [0, 1, 0x7F, 0xFF] as [UInt8] {
        var forged = whole
        forged[offset] = value
        _ = try? ELFAudit(forged)
      }
    }
  }

  @Test func `what a library needs is found with what it exports`() throws {
    let path = try Fixtures.library("good")
    let libraries = NeededLibraries(of: try ELFAudit(try bytes("good")), path: path)
    #expect(libraries.missing.isEmpty)
    #expect(libraries.symbols.contains("malloc"))
    #expect(!libraries.symbols.contains("gw_plugin_entry"))
  }
}
