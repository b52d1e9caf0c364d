import Testing

@testable import GatewayPlugin
@testable import Tokens

@Suite("An account's transactions")
struct HistoryTests {
  static func list(_ book: Book, _ set: (inout History) -> Void = { _ in }) throws -> [JSON] {
    var history = History(account: "alice")
    set(&history)
    return try #require(try book.ledger.history(history)["transactions"]?.asArray)
  }

  static func kinds(_ list: [JSON]) -> [String] { list.compactMap { $0["type"]?.asString } }

  static func busy() throws -> Book {
    let book = try Book()
    try book.open("alice", "bob")
    _ = try book.ledger.transfer(
      from: "alice",
      to: "bob",
      amount: Amount("1"),
      memo: "tea",
      key: nil
    )
    book.clock.advance(seconds: 10)
    _ = try book.ledger.transfer(from: "bob", to: "alice", amount: Amount("2"), key: nil)
    try book.give("alice", "1000")
    _ = try book.ledger.stake("alice", amount: Amount("1000"), seconds: nil, key: nil)
    return book
  }

  @Test("it has each entry once, the newest first, with what it did to the account")
  func listed() throws {
    let all = try Self.list(Self.busy())
    #expect(Self.kinds(all) == ["stake", "mint", "transfer", "fee", "transfer", "signup_grant"])
    #expect(
      all[0]["direction"] == "self" && all[0]["changes"] == ["balance": "-1000", "staked": "1000"]
    )
    #expect(
      all[2]["direction"] == "in" && all[2]["changes"] == ["balance": "2"]
        && all[2]["from_account"] == "bob"
    )
    #expect(
      all[4]["direction"] == "out" && all[4]["changes"] == ["balance": "-1"]
        && all[4]["reason"] == "tea"
    )
  }

  @Test("it is filtered by kind, direction, time and reference")
  func filtered() throws {
    let book = try Self.busy()
    let now = book.clock.now
    #expect(Self.kinds(try Self.list(book) { $0.kind = .transfer }) == ["transfer", "transfer"])
    #expect(
      Self.kinds(try Self.list(book) { $0.direction = .incoming }) == [
        "mint", "transfer", "signup_grant",
      ]
    )
    #expect(Self.kinds(try Self.list(book) { $0.direction = .outgoing }) == ["fee", "transfer"])
    #expect(Self.kinds(try Self.list(book) { $0.direction = .own }) == ["stake"])
    #expect(Self.kinds(try Self.list(book) { $0.since = now }) == ["stake", "mint", "transfer"])
    #expect(
      Self.kinds(try Self.list(book) { $0.until = now }) == ["fee", "transfer", "signup_grant"]
    )
    let transfer = try #require(Self.list(book) { $0.kind = .transfer }.last?["tx_id"]?.asString)
    #expect(Self.kinds(try Self.list(book) { $0.reference = transfer }) == ["fee"])
  }

  @Test("pages cover everything once, by offset and by the last id")
  func pages() throws {
    let book = try Self.busy()
    let all = try Self.list(book)
    var paged: [JSON] = []
    for offset in stride(from: 0, to: 8, by: 2) {
      paged += try Self.list(book) { ($0.limit, $0.offset) = (2, offset) }
    }
    #expect(paged == all)
    var (before, walked): (Int64?, [JSON]) = (nil, [])
    repeat {
      var history = History(account: "alice")
      (history.limit, history.before) = (4, before)
      let page = try book.ledger.history(history)
      walked += page["transactions"]?.asArray ?? []
      before = page["next_before"]?.asInteger
    } while before != nil
    #expect(walked == all)
  }

  @Test("a page looks no further than its window, and its end leads on")
  func window() throws {
    let book = try Self.busy()
    let all = try Self.list(book)
    for window in 2...8 {
      var (before, walked): (Int64?, [JSON]) = (nil, [])
      repeat {
        var history = History(account: "alice")
        (history.window, history.before) = (window, before)
        let page = try book.ledger.history(history)
        let found = page["transactions"]?.asArray ?? []
        #expect(found.count <= window && page["total_count"]?.asInteger == Int64(found.count))
        #expect((page["next_before"] == .null) == (page["complete"] == true))
        walked += found
        before = page["next_before"]?.asInteger
      } while before != nil
      #expect(walked == all, "window \(window)")
    }
  }

  @Test("another's entry is not shown, one that both take part in is")
  func seen() throws {
    let book = try Self.busy()
    // `== nil` would compare with JSON's null.
    func shows(_ id: Int64, _ account: String?) throws -> Bool {
      try book.ledger.entry(id, seenBy: account).map { $0["tx_id"]?.asString == String(id) }
        ?? false
    }
    #expect(try shows(2, "alice") && !shows(2, "bob") && shows(2, nil), "alice's grant")
    #expect(try shows(4, "alice") && shows(4, "bob") && !shows(4, "carol"))
    #expect(try !shows(0, nil) && !shows(999, nil))
  }

  @Test(
    "a query's bounds hold at their edges",
    arguments: [
      (#"{"limit": "100", "offset": "1000000000"}"#, ""), (#"{"limit": "101"}"#, "limit"),
      (#"{"limit": "0"}"#, "limit"),
      (#"{"offset": "1000000001"}"#, "offset"), (#"{"kind": "gift"}"#, "kind"),
      (#"{"direction": "up"}"#, "direction"),
      (#"{"since": "yesterday"}"#, "since"),
      (#"{"since": "2025-08-27T14:30:00Z", "until": "2025-08-27T14:30:00+02:00"}"#, ""),
      (#"{"before": "0"}"#, "before"), (#"{"before": "1"}"#, ""),
      (#"{"reference": ""}"#, "reference"),
    ] as [(String, String)]
  )
  func query(_ text: String, _ field: String) throws {
    var fields = Fields(try JSON.parse(Array(text.utf8)), path: "", isText: true)
    _ = History(&fields, account: "alice")
    let errors = fields.collected(.refused).map(\.field)
    #expect(errors == (field.isEmpty ? [] : [field]))
  }
}
