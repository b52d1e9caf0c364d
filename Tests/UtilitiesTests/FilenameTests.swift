import Testing

@testable import Utilities

@Suite("Filenames of strangers")
struct FilenameTests {
  @Test(arguments: [
    ("report.pdf", "report.pdf"), ("../../etc/passwd", "passwd"), ("C:\\x\\y.txt", "y.txt"),
    ("a\u{0}b\n.txt", "ab.txt"), ("  .hidden. ", "hidden"), ("\u{202E}txt.exe", "txt.exe"),
    ("Übersicht 東京.md", "Übersicht 東京.md"), ("", nil), ("..", nil), ("a/", nil), (" . ", nil),
  ])
  func `only a harmless name is left`(_ name: String, _ kept: String?) {
    #expect(Filename.sanitized(name) == kept)
  }

  @Test func `a name is cut to 255 bytes before its ending`() {
    let edge = String(repeating: "a", count: 251) + ".txt"
    #expect(Filename.sanitized(edge) == edge)
    let long = Filename.sanitized(String(repeating: "ä", count: 200) + ".txt") ?? ""
    #expect(long.utf8.count <= 255 && long.utf8.count > 250 && long.hasSuffix("ä.txt"))
    let noEnding = Filename.sanitized(String(repeating: "b", count: 300)) ?? ""
    #expect(noEnding.utf8.count == 255)
  }

  @Test func `the header field cannot be broken out of`() {
    #expect(
      Filename.attachment("a\"b\\c;ü%.txt")
        == "attachment; filename=\"a_b_c;__.txt\"; filename*=UTF-8''a%22b%5Cc%3B%C3%BC%25.txt"
    )
  }
}
