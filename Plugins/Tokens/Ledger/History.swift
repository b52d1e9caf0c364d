package import GatewayPlugin
import PluginStorage

/// Which entries of an account are listed.
package struct History: Sendable, Equatable {
  /// Which way the amount goes, as the account sees it.
  package enum Direction: String, Sendable, CaseIterable {
    /// From another account.
    case incoming = "in"
    /// To another account.
    case outgoing = "out"
    /// Between the account's own parts, and votes.
    case own = "self"
  }

  package let account: String
  package var kind: EntryKind?
  package var direction: Direction?
  /// Nanoseconds since 1970, this one included.
  package var since: Int64?
  /// Nanoseconds since 1970, this one excluded.
  package var until: Int64?
  package var reference: String?
  /// Entries with a smaller id alone: pages that stay in place while new entries come.
  package var before: Int64?
  package var limit = 20
  package var offset = 0
  /// Postings of the account that one page looks at.
  ///
  /// Default 50,000, a tenth of a second. Filters and the count do not see further; `next_before` leads on from there.
  package var window = 50_000

  /// All entries of an account, the newest first.
  package init(account: String) { self.account = account }

  /// Reads the query of a list.
  ///
  /// - Parameters:
  ///   - fields: The query; every bad name is noted there.
  ///   - account: Whose entries, unless the query names another.
  package init(_ fields: inout Fields, account: String) {
    self.account = fields.optionalString("account", 1...AccountName.longest) ?? account
    limit = fields.integer("limit", 1...100, default: 20)
    offset = fields.integer("offset", 0...1_000_000_000, default: 0)
    if fields.json("kind") != nil {
      kind = EntryKind(rawValue: fields.choice("kind", EntryKind.allCases.map(\.rawValue)))
    }
    if fields.json("direction") != nil {
      let directions = Direction.allCases.map(\.rawValue)
      direction = Direction(rawValue: fields.choice("direction", directions))
    }
    since = Self.time("since", &fields)
    until = Self.time("until", &fields)
    reference = fields.optionalString("reference", 1...255)
    before = fields.optionalInteger("before", 1...Int.max).map(Int64.init)
  }

  private static func time(_ name: String, _ fields: inout Fields) -> Int64? {
    guard let text = fields.optionalString(name, 1...64) else { return nil }
    let time = Timestamp.parse(text)
    if time == nil { fields.refuse(name, "must be a time like 2025-08-27T14:30:00Z") }
    return time
  }

  // One row for each entry: of an entry between an account's own parts the second posting is left out.
  fileprivate var source: (sql: String, values: [SQLValue]) {
    var sql = """
      FROM postings p JOIN entries e ON e.id = p.entry
      LEFT JOIN postings o ON o.entry = p.entry AND o.ordinal = 1 - p.ordinal
      WHERE p.account = ? AND (p.ordinal = 0 OR o.account <> p.account)
      """
    var values: [SQLValue] = [.text(account)]
    func add(_ condition: String, _ value: SQLValue? = nil) {
      sql += " AND " + condition
      if let value { values.append(value) }
    }
    if let kind { add("e.kind = ?", .text(kind.rawValue)) }
    switch direction {
    case .incoming: add("p.ordinal = 1")
    case .outgoing: add("p.ordinal = 0 AND o.account <> p.account")
    case .own: add("p.ordinal = 0 AND (o.account IS NULL OR o.account = p.account)")
    case nil: break
    }
    if let since { add("e.at >= ?", .integer(since)) }
    if let until { add("e.at < ?", .integer(until)) }
    if let reference { add("e.reference = ?", .text(reference)) }
    if let before { add("p.entry < ?", .integer(before)) }
    return (sql, values)
  }
}

extension Ledger {
  /// A page of an account's entries, the newest first.
  ///
  /// - Parameter history: Which.
  /// - Returns: `transactions, total_count, complete, limit, offset, next_before, user_account`.
  /// - Throws: `LedgerError.storage`.
  package func history(_ history: History) throws(LedgerError) -> JSON {
    try read { connection throws(LedgerError) in
      let floor = try connection.floor(history)
      var (source, values) = history.source
      source += " AND p.entry > ?"
      values.append(.integer(floor ?? 0))
      let total = try connection.find("SELECT count(*) \(source)", values) { $0.integer(0) } ?? 0
      let ids = try connection.list(
        "SELECT p.entry \(source) ORDER BY p.entry DESC LIMIT ? OFFSET ?",
        values + [.count(history.limit), .count(history.offset)]
      ) { $0.integer(0) }
      var page: [JSON] = []
      for id in ids {
        if let entry = try connection.entry(id) {
          page.append(entry.entry.json(hash: entry.hash, seenBy: history.account))
        }
      }
      let next = ids.count == history.limit ? ids.last : floor.map { $0 + 1 }
      return [
        "transactions": .array(page), "total_count": .integer(total),
        "complete": .bool(floor == nil), "limit": .integer(Int64(history.limit)),
        "offset": .integer(Int64(history.offset)),
        "next_before": next.map { JSON.integer($0) } ?? JSON.null,
        "user_account": .string(history.account),
      ]
    }
  }

  /// One entry, if `account` takes part in it.
  ///
  /// - Parameters:
  ///   - id: The entry's.
  ///   - account: Who asks; `nil` for an operator, who sees all.
  /// - Returns: The entry; `nil` when there is none that the account may see.
  /// - Throws: `LedgerError.storage`.
  package func entry(_ id: Int64, seenBy account: String?) throws(LedgerError) -> JSON? {
    let found = try read { connection throws(LedgerError) in try connection.entry(id) }
    guard let (entry, hash) = found else { return nil }
    guard let account else { return entry.json(hash: hash, seenBy: "") }
    // Names of accounts are compared by their bytes, as SQLite compares them.
    guard entry.postings.contains(where: { $0.account.utf8.elementsEqual(account.utf8) }) else {
      return nil
    }
    return entry.json(hash: hash, seenBy: account)
  }
}

extension Connection {
  /// The newest entry of the account that a page does not look at; `nil` when it looks at all.
  fileprivate mutating func floor(_ history: History) throws(LedgerError) -> Int64? {
    try find(
      "SELECT entry FROM postings WHERE account = ? AND entry < ? ORDER BY entry DESC LIMIT 1 OFFSET ?",
      [
        .text(history.account), .integer(history.before ?? Int64.max), .count(history.window),
      ]
    ) { $0.integer(0) }
  }

  /// The entry of that id with its postings, and its hash.
  mutating func entry(_ id: Int64) throws(LedgerError) -> (entry: Entry, hash: String)? {
    let postings = try list(
      "SELECT account, bucket, whole, nano, atto FROM postings WHERE entry = ? ORDER BY ordinal",
      [.integer(id)],
      Entry.Posting.init
    )
    return try find(
      "SELECT id, at, kind, reason, reference, previous, hash FROM entries WHERE id = ?",
      [.integer(id)]
    ) { (Entry($0, postings), $0.text(6)) }
  }
}

extension Entry.Posting {
  init(_ row: Row) {
    account = row.text(0)
    // The table's CHECK allows no other word; another would break the hash.
    bucket = Account.Bucket(rawValue: row.text(1)) ?? .balance
    amount = row.amount(2)
  }
}

extension Entry {
  init(_ row: Row, _ postings: [Posting]) {
    id = row.integer(0)
    at = row.integer(1)
    kind = row.text(2)
    reason = row.text(3)
    reference = row.text(4)
    previous = row.text(5)
    self.postings = postings
  }

  /// The entry as an account sees it; the original's fields, and what it did to each part of the account.
  func json(hash: String, seenBy account: String) -> JSON {
    let own = postings.filter { $0.account.utf8.elementsEqual(account.utf8) }
    var changes: [JSON.Member] = []
    for bucket in Account.Bucket.allCases {
      let change = own.filter { $0.bucket == bucket }.reduce(Amount.zero) { $0 + $1.amount }
      if change != .zero { changes.append(.init(name: bucket.rawValue, value: .amount(change))) }
    }
    let isIn = own.count == 1 && own[0].amount > .zero
    let isOut = own.count == 1 && own[0].amount < .zero
    let direction = isIn ? History.Direction.incoming : isOut ? .outgoing : .own
    return [
      "tx_id": .string(String(id)), "type": .string(kind),
      "amount": .amount(postings.last.map { $0.amount < .zero ? -$0.amount : $0.amount } ?? .zero),
      "timestamp": .time(at), "status": "confirmed",
      "from_account": postings.first.map { .string($0.account) } ?? .null,
      "to_account": postings.count > 1 ? .string(postings[1].account) : .null,
      "direction": .string(direction.rawValue), "changes": .object(changes),
      "reason": .string(reason), "reference": .string(reference), "hash": .string(hash),
      "previous_hash": .string(previous),
    ]
  }
}
