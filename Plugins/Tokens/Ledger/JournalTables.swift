import PluginStorage

// The statements that change accounts and journal; nothing else writes to these tables.
extension Connection {
  /// Reads one account: one search of the primary key, which holds the row.
  static let accountQuery = "SELECT \(Account.columns), opened_at FROM accounts WHERE id = ?"

  mutating func account(_ id: String) throws(LedgerError) -> Account? {
    try find(Self.accountQuery, [.text(id)]) { Account(id: id, $0) }
  }

  mutating func insert(_ entry: Entry, hash: String) throws(LedgerError) {
    try execute(
      "INSERT INTO entries(id, at, kind, reason, reference, previous, hash) VALUES (?, ?, ?, ?, ?, ?, ?)",
      [
        .integer(entry.id), .integer(entry.at), .text(entry.kind), .text(entry.reason),
        .text(entry.reference), .text(entry.previous), .text(hash),
      ]
    )
  }

  mutating func insert(
    _ posting: Entry.Posting,
    entry: Int64,
    ordinal: Int
  ) throws(LedgerError) {
    try execute(
      "INSERT INTO postings(entry, ordinal, account, bucket, whole, nano, atto) VALUES (?, ?, ?, ?, ?, ?, ?)",
      [
        .integer(entry), .count(ordinal), .text(posting.account), .text(posting.bucket.rawValue),
      ] + posting.amount.columns
    )
  }

  mutating func update(_ account: Account, _ bucket: Account.Bucket) throws(LedgerError) {
    let name = bucket.rawValue
    try execute(
      "UPDATE accounts SET \(name)_whole = ?, \(name)_nano = ?, \(name)_atto = ? WHERE id = ?",
      account[bucket].columns + [.text(account.id)]
    )
  }
}
