import PluginStorage
import Testing

@testable import Utilities

@Suite("Text out of documents")
struct ExtractorTests {
  static func markdown(_ text: String) throws -> [Block] {
    try blocks(text) { _ = try MarkdownExtractor.extract($0, $1) }
  }

  static func html(_ text: String) throws -> [Block] {
    try blocks(text) { _ = try HTMLExtractor.extract($0, $1) }
  }

  static func csv(_ text: String) throws -> [String] {
    try blocks(text) { try CSVExtractor.extract($0, $1) }.map(\.text)
  }

  static func json(_ text: String) throws -> [String] {
    try blocks(text) { try JSONExtractor.extract($0, $1) }.map(\.text)
  }

  static func plain(_ text: String) throws -> [Block] {
    try blocks(text) { try TextExtractor.extract($0, range: 0..<$0.count, $1) }
  }

  @Test func `plain text is paragraphs, with line and bytes`() throws {
    let found = try Self.plain("One\r\ntwo.\r\n\r\n\r\nThree\n- four\n")
    #expect(found.map(\.text) == ["One two.", "Three", "- four"])
    #expect(found.map(\.line) == [1, 5, 6])
    #expect(found[1].start == 15 && found[1].end == 20)
  }

  @Test func `a line of megabytes comes in whole characters`() throws {
    let text = String(repeating: "ü", count: 40_000)
    let found = try Self.plain(text)
    #expect(found.count > 1)
    #expect(!found.contains { $0.text.contains("\u{FFFD}") })
    #expect(found.allSatisfy { $0.text.utf8.count < 40_000 })
  }

  @Test func `Markdown's blocks`() throws {
    let found = try Self.markdown(
      """
      Top
      ===
      A *line*
      and `code` with [a link](http://x.y "t") and snake_case.

      ## Second ##
      - one
        more
      - two
      > quoted **text**

      ```swift
      let a = 1  // # no heading
      ```
      Setext below
      ---
      ***
      <!-- gone --> 2 * 3 = 6 \\*
      """
    )
    #expect(
      found.map(\.text) == [
        "Top", "A line and code with a link and snake_case.", "Second", "one more",
        "two quoted text", "let a = 1  // # no heading", "Setext below", "2 * 3 = 6 *",
      ]
    )
    #expect(found[0].kind == .heading(level: 1))
    #expect(found[2].kind == .heading(level: 2))
    #expect(found[3].kind == .listItem)
    #expect(found[5].kind == .code)
    #expect(found[6].kind == .heading(level: 2))
  }

  @Test func `Markdown's tables name their cells`() throws {
    let found = try Self.markdown("| A | B |\n|---|:-:|\n| 1 | x \\| y |\n| 2 |  |\n\nend | here")
    #expect(found.map(\.text) == ["A: 1; B: x | y", "A: 2", "end | here"])
  }

  @Test func `Markdown cut at any byte is read`() throws {
    let bytes = try document("handbook.md")
    for count in 0...bytes.count {
      let cut = Array(bytes.prefix(count))
      _ = try MarkdownExtractor.extract(cut.span) { (_: Block) throws(StorageError) in }
    }
  }

  @Test func `HTML shows what a reader sees`() throws {
    let bytes = try document("beekeeping.html")
    var found: [Block] = []
    let title = try HTMLExtractor.extract(bytes.span) { (block: Block) throws(StorageError) in
      found.append(block)
    }
    #expect(title == "Keeping bees & making honey")
    let all = found.map(\.text).joined(separator: "\n")
    for hidden in ["swarm\"", "never shown", "color", "commented out"] {
      #expect(!all.contains(hidden), "\(hidden)")
    }
    #expect(all.contains("up to 50 000 workers"))
    #expect(all.contains("September—later"))
    #expect(all.contains("Blossom: Linden; Month: July; Kilograms per hive: 12"))
    #expect(found.contains { $0.kind == .heading(level: 2) && $0.text == "Swarming" })
    #expect(found.contains { $0.kind == .listItem && $0.text.hasPrefix("Mix three parts") })
  }

  @Test(arguments: [
    ("<p>a<p>b", ["a", "b"]), ("a<br>b", ["a", "b"]), ("<b>a</b>b", ["ab"]),
    ("a < b & c", ["a < b & c"]),
    ("&lt;b&gt; &#8364; &#x20AC; &unknown; &eacute", ["<b> € € &unknown; &eacute"]),
    ("<a title='x>y'>z</a>", ["z"]), ("<script>a</scripty></script>b", ["b"]),
    ("<div><svg><text>x</text></svg>y</div>", ["y"]), ("<p", []), ("x<", ["x<"]), ("<!--", []),
    ("&#1114112;&#xD800;&#0;", ["\u{FFFD}\u{FFFD}\u{FFFD}"]), ("<TITLE>t</TITLE><P>b", ["b"]),
    ("<table><tr><td><table><tr><td>in</table></table>out", ["in", "out"]),
  ])
  func `HTML as it is met`(_ html: String, _ texts: [String]) throws {
    #expect(try Self.html(html).map(\.text) == texts)
  }

  @Test func `HTML cut at any byte is read`() throws {
    let bytes = try document("beekeeping.html")
    for count in 0...bytes.count {
      let cut = Array(bytes.prefix(count))
      _ = try HTMLExtractor.extract(cut.span) { (_: Block) throws(StorageError) in }
    }
  }

  @Test func `CSV as RFC 4180 has it`() throws {
    #expect(try Self.csv("a,b\r\n1,\"x, \"\"y\"\"\r\nz\"\r\n") == ["a: 1; b: x, \"y\" z"])
    #expect(try Self.csv("a;b\n1;2,5\n") == ["a: 1; b: 2,5"])
    #expect(try Self.csv("a\tb\n\n1\t2\t3") == ["a: 1; b: 2; 3"])
    #expect(try Self.csv("a,b\r1,2") == ["a: 1; b: 2"])
    #expect(try Self.csv("only,names") == ["only; names"])
    #expect(try Self.csv("a\n\"open") == ["a: open"])
    #expect(try Self.csv("") == [])
  }

  @Test func `CSV keeps the line a row begins on`() throws {
    let found = try blocks("a\n\"1\n2\"\n3\n") { try CSVExtractor.extract($0, $1) }
    #expect(found.map(\.line) == [2, 4])
  }

  @Test func `JSON is records with their paths`() throws {
    let text = """
      {"a": 1, "b": {"c": "x", "d": [1, 2]}, "e": [{"f": true}, null], "g": null, "h": ""}
      """
    #expect(
      try Self.json(text) == ["b c: x; d: 1, 2", "e[0] f: true", "a: 1"]
    )
    #expect(try Self.json("{\"a\":1}\n{\"a\":2}\n") == ["a: 1", "a: 2"])
    #expect(try Self.json("\"\\u00e9\\ud83d\\ude00\\n!\"") == ["é😀 !"])
  }

  @Test(arguments: [
    "{", "[1,]", "{\"a\" 1}", "tru", "\"\\x\"", "\"a\nb\"", "{1:2}", "[1 2]", "\"\\ud83d\\u0041\"",
  ])
  func `JSON that is none says where`(_ text: String) {
    #expect(throws: JSONExtractor.Failure.self) { try Self.json(text) }
  }

  @Test func `JSON's depth is bounded`() throws {
    let limit = JSONExtractor.maxDepth
    func nested(_ depth: Int) -> String {
      String(repeating: "[", count: depth) + "1" + String(repeating: "]", count: depth)
    }
    #expect(try Self.json(nested(limit)) == ["1"])
    #expect(throws: JSONExtractor.Failure.tooDeep(limit: limit)) {
      try Self.json(nested(limit + 1))
    }
  }

  @Test func `a PDF is read with its pages where pdftotext is installed, and says why where not`()
    throws
  {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let file = try documents.add(document: "waterwheel.pdf")
    #expect(file.contentType == "application/pdf")
    let isInstalled = PDFExtractor.places.contains {
      (try? OpenFile(path: $0, flags: 0)) != nil
    }
    guard isInstalled else {
      #expect(file.status == .stored)
      #expect(file.reason == PDFExtractor.Failure.notInstalled.reason)
      return
    }
    let reply = try QueryEngineTests.ask(documents, "What frees the wheel from ice?")
    #expect(reply.answer.contains("freed with warm water"))
    #expect(reply.sources.first?.hit.passage.page == 2)
  }

  @Test func `a damaged PDF and a missing program are stored with the reason`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let file = try documents.add(Array("%PDF-1.4\nnothing".utf8), "a.pdf").file
    #expect(file.status == .stored && !file.isIndexed && file.reason != nil)
    #expect(throws: PDFExtractor.Failure.notInstalled) {
      try PDFExtractor.extract(path: "/dev/null", seconds: 1, places: ["/nowhere/pdftotext"]) {
        (_: Block) throws(StorageError) in
      }
    }
  }

  @Test func `text in old encodings is found`() throws {
    let folder = Folder()
    let documents = try Documents.temporary(folder)
    let latin = Array("Die M".utf8) + [0xFC] + Array("hle steht am Bach.".utf8)
    try documents.add(latin, "latin.txt")
    let wide: [UInt8] = [0xFE, 0xFF] + "The lighthouse is red.".utf8.flatMap { [UInt8(0), $0] }
    try documents.add(wide, "wide.txt")
    try documents.add(Array("\u{FEFF}The barn is green.".utf8), "mark.txt")
    #expect(try QueryEngineTests.ask(documents, "Mühle").answer.contains("Mühle steht"))
    #expect(
      try QueryEngineTests.ask(documents, "lighthouse").answer == "The lighthouse is red. [1]"
    )
    #expect(try QueryEngineTests.ask(documents, "barn").answer == "The barn is green. [1]")
  }
}
