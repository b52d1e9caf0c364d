import PluginStorage
import Testing

@testable import Utilities

@Suite("Stems and folded words, as SQLite's tokenizer makes them")
struct PorterTests {
  static let sample = """
    caresses ponies ties caress cats feed agreed plastered bled motoring sing conflated troubled \
    sized hopping tanned falling hissing fizzed failing filing happy sky relational conditional \
    rational valenci hesitanci digitizer conformabli radicalli differentli vileli analogousli \
    vietnamization predication operator feudalism decisiveness hopefulness callousness formaliti \
    sensitiviti sensibiliti triplicate formative formalize electriciti electrical hopeful goodness \
    revival allowance inference airliner gyroscopic adjustable defensible irritant replacement \
    adjustment dependent adoption homologou communism activate angulariti homologous effective \
    bowdlerize probate rate cease controll roll generalizations oscillators swarming maintenance \
    hibernates bearings greased loudly geology ontological analogies yes yellow toy sayings a be \
    tuesday metres queens fines lending renewals a1b2 x2000 mississippi naïve Tromsø Zürich façade \
    Łódź œuvre straße Ångström Ñandú Čapek şeker ĳsselmeer Ħal ŋ ŧ ĸ ŉ ſ đ ı İstanbul 東京 Ελλάδα \
    Привет sıcak ỳ é ﬁn 123 ½ x² coöperate e\u{301}t\u{e9}
    """

  @Test func `every word of the sample is the index's own`() throws {
    var connection = try Connection.open(path: ":memory:", readOnly: false)
    try connection.script(
      """
      CREATE VIRTUAL TABLE t USING fts5 (w, tokenize = 'porter unicode61 remove_diacritics 2');
      CREATE VIRTUAL TABLE v USING fts5vocab (t, 'row');
      """
    )
    for word in Self.sample.split(separator: " ").map(String.init) {
      try connection.run("DELETE FROM t")
      try connection.run("INSERT INTO t (w) VALUES (?)", [.text(word)])
      let theirs = try connection.rows("SELECT term FROM v ORDER BY term") { $0.text(0) }
      #expect(Set(Terms.stems(in: word)) == Set(theirs), "\(word)")
    }
  }

  @Test func `every Latin letter is folded as the index folds it`() throws {
    var connection = try Connection.open(path: ":memory:", readOnly: false)
    try connection.script(
      """
      CREATE VIRTUAL TABLE t USING fts5 (w, tokenize = 'porter unicode61 remove_diacritics 2');
      CREATE VIRTUAL TABLE v USING fts5vocab (t, 'row');
      """
    )
    for value in Array(UInt32(0x20)..<0x250) + Array(0x1E00..<0x1F00) {
      guard let scalar = Unicode.Scalar(value) else { continue }
      let theirs = try connection.transaction { (connection) throws(StorageError) in
        try connection.run("DELETE FROM t")
        try connection.run("INSERT INTO t (w) VALUES (?)", [.text(String(Character(scalar)))])
        return try connection.rows("SELECT term FROM v") { $0.text(0) }
      }
      let ours = Terms.stems(in: String(Character(scalar)))
      #expect(ours == theirs, "U+\(String(value, radix: 16))")
    }
  }

  @Test func `forms of irregular words share a stem`() {
    for words in ["keep kept", "children child", "wrote writes written", "feet foot"] {
      #expect(Set(Terms.stems(in: words)).count == 1, "\(words)")
    }
    #expect(Set(Terms.stems(in: "found founder")).count == 2)
  }

  @Test func `short and very long words stay as they are`() {
    let long = String(repeating: "ings", count: 17)
    #expect(Terms.stems(in: "is as \(long)") == ["is", "as", long])
  }
}
