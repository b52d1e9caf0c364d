import Testing

@testable import Utilities

@Suite("What an upload is")
struct TypeSnifferTests {
  struct Case: Sendable, CustomTestStringConvertible {
    let testDescription: String
    let bytes: [UInt8]
    let name: String
    var claim: String?
    let type: String
    var matches = true
  }

  static func text(_ text: String) -> [UInt8] { Array(text.utf8) }

  static let cases = [
    Case(
      testDescription: "PDF",
      bytes: text("%PDF-1.7\n"),
      name: "a.pdf",
      claim: "application/pdf",
      type: "application/pdf"
    ),
    Case(
      testDescription: "PDF called text",
      bytes: text("%PDF-1.7\n"),
      name: "a.txt",
      claim: "text/plain",
      type: "application/pdf",
      matches: false
    ),
    Case(
      testDescription: "PNG",
      bytes: [0x89, 0x50, 0x4E, 0x47, 0x0D, 0x0A, 0x1A, 0x0A, 0],
      name: "a",
      claim: "image/png",
      type: "image/png"
    ),
    Case(
      testDescription: "JPEG called PNG",
      bytes: [0xFF, 0xD8, 0xFF, 0xE0],
      name: "a.png",
      claim: "image/png",
      type: "image/jpeg",
      matches: false
    ),
    Case(testDescription: "GIF", bytes: text("GIF89a"), name: "a", type: "image/gif"),
    Case(testDescription: "gzip", bytes: [0x1F, 0x8B, 8], name: "a", type: "application/gzip"),
    Case(
      testDescription: "ZIP",
      bytes: text("PK\u{3}\u{4}xx"),
      name: "a.zip",
      claim: "application/zip",
      type: "application/zip"
    ),
    Case(
      testDescription: "Word document",
      bytes: text("PK\u{3}\u{4}xx"),
      name: "a.docx",
      type: "application/vnd.openxmlformats-officedocument.wordprocessingml.document"
    ),
    Case(
      testDescription: "HTML",
      bytes: text("  <!DOCTYPE HTML><p>"),
      name: "a.html",
      claim: "text/html",
      type: "text/html"
    ),
    Case(
      testDescription: "HTML called image",
      bytes: text("<html><script>1</script>"),
      name: "a.png",
      claim: "image/png",
      type: "text/html",
      matches: false
    ),
    Case(
      testDescription: "HTML called text",
      bytes: text("<script>1</script>"),
      name: "a.txt",
      claim: "text/plain",
      type: "text/html",
      matches: false
    ),
    Case(
      testDescription: "JSON",
      bytes: text("{\"a\": 1}"),
      name: "a",
      claim: "application/json",
      type: "application/json"
    ),
    Case(
      testDescription: "JSON by its bytes",
      bytes: text("[1, 2]"),
      name: "a",
      claim: "application/octet-stream",
      type: "application/json"
    ),
    Case(
      testDescription: "not quite JSON",
      bytes: text("{a: 1}"),
      name: "a.txt",
      type: "text/plain"
    ),
    Case(
      testDescription: "Markdown by name",
      bytes: text("# Hello"),
      name: "a.md",
      claim: "application/octet-stream",
      type: "text/markdown"
    ),
    Case(
      testDescription: "Markdown claimed as text",
      bytes: text("# Hello"),
      name: "a.md",
      claim: "text/plain; charset=utf-8",
      type: "text/markdown",
      matches: false
    ),
    Case(
      testDescription: "CSV",
      bytes: text("a,b\n1,2\n"),
      name: "a.csv",
      claim: "text/csv",
      type: "text/csv"
    ),
    Case(
      testDescription: "source code",
      bytes: text("print(1)"),
      name: "a.py",
      claim: "text/x-python",
      type: "text/x-python"
    ),
    Case(
      testDescription: "Latin-1",
      bytes: text("gr") + [0xFC] + text("n und gut und schön"),
      name: "a.txt",
      type: "text/plain"
    ),
    Case(
      testDescription: "UTF-16",
      bytes: [0xFF, 0xFE, 0x41, 0],
      name: "a.txt",
      type: "text/plain"
    ),
    Case(
      testDescription: "bytes called text",
      bytes: [0, 1, 2, 3],
      name: "a.bin",
      claim: "text/plain",
      type: "application/octet-stream",
      matches: false
    ),
    Case(
      testDescription: "bytes of a type nobody checks",
      bytes: [0, 1, 2, 3],
      name: "a",
      claim: "application/x-thing",
      type: "application/x-thing"
    ),
    Case(testDescription: "nothing at all", bytes: [], name: "a", type: "text/plain"),
    Case(
      testDescription: "a claim that is none",
      bytes: text("hi"),
      name: "a",
      claim: "nonsense",
      type: "text/plain"
    ),
    Case(
      testDescription: "MZ in text",
      bytes: text("MZ is short for Mark Zbikowski, who wrote the linker of DOS and more."),
      name: "a.txt",
      type: "text/plain"
    ),
  ]

  @Test(arguments: cases) func `bytes decide, claims refine`(_ one: Case) {
    let result = TypeSniffer.sniff(
      one.bytes.span,
      isWhole: true,
      filename: one.name,
      claimed: one.claim
    )
    #expect(result.contentType == one.type)
    #expect(result.matches == one.matches)
    #expect(!result.isDisguised)
  }

  static let elf = text("\u{7F}ELF") + [2, 1, 1, 0]

  @Test(arguments: ["text/plain", "application/pdf", "image/png"])
  func `a program that calls itself a document is a disguise`(_ claim: String) {
    let result = TypeSniffer.sniff(
      Self.elf.span,
      isWhole: true,
      filename: "tool",
      claimed: claim
    )
    #expect(result.isDisguised)
    #expect(!result.matches)
  }

  @Test func `a program by its own name is none`() {
    for claim in [nil, "application/octet-stream", "application/x-executable"] {
      let result = TypeSniffer.sniff(
        Self.elf.span,
        isWhole: true,
        filename: "tool",
        claimed: claim
      )
      #expect(!result.isDisguised)
      #expect(result.form == .executable)
    }
    #expect(
      TypeSniffer.sniff(Self.elf.span, isWhole: true, filename: "tool.txt", claimed: nil)
        .isDisguised
    )
  }

  @Test func `a character cut at the end of the prefix is still text`() {
    let bytes = Self.text("naïve 東京 😀")
    for count in 0...bytes.count {
      let cut = Array(bytes.prefix(count))
      #expect(
        TypeSniffer.textEncoding(cut.span, isWhole: false) == .utf8,
        "\(count)"
      )
    }
  }
}
