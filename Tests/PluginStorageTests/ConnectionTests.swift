import PluginStorage
import Testing

@Suite("SQLite connections")
struct ConnectionTests {
  /// In memory: one that holds the numbers from 1 to 5.
  static func connection() throws -> Connection {
    var connection = try Connection.open(path: ":memory:", readOnly: false)
    try connection.script("CREATE TABLE n (x); INSERT INTO n VALUES (1), (2), (3), (4), (5)")
    return connection
  }

  @Test(
    "a page has its rows in order, and says how many there are on all pages",
    arguments: [
      (2, 0, [4, 3]), (2, 2, [2]), (3, 0, [4, 3, 2]), (9, 0, [4, 3, 2]), (9, 3, []), (0, 0, []),
    ]
  )
  func page(limit: Int, offset: Int, expected: [Int]) throws {
    var connection = try Self.connection()
    for source in ["n WHERE x > ? AND x < ?", "n WHERE x > ?1 AND x < ?2"] {
      let (rows, total) = try connection.page(
        "x",
        from: source,
        [.count(1), .count(5)],
        orderedBy: "x DESC",
        limit: limit,
        offset: offset
      ) { $0.count(0) }
      #expect(rows == expected && total == 3)
    }
  }
}
