import GatewayPlugin
import PluginStorage

/// One transaction of the ledger under way: what holds in it, and what it has entered so far.
struct LedgerChange {
  /// Nanoseconds since 1970.
  let now: Int64
  let rules: LedgerRules
  private(set) var policy: Policy
  /// Entries made, in order.
  private(set) var entries: [Entry] = []
  /// Every account that an entry touched, as it is now.
  ///
  /// By the bytes of the name: Swift takes texts for equal that SQLite, and so the ledger, tells apart.
  private(set) var accounts: [[UInt8]: Account] = [:]
  private var head: (id: Int64, hash: String)

  init(
    now: Int64,
    rules: LedgerRules,
    on connection: inout Connection
  ) throws(LedgerError) {
    self.now = now
    self.rules = rules
    policy = try rules.policy(on: &connection)
    head =
      try connection.find("SELECT id, hash FROM entries ORDER BY id DESC LIMIT 1") {
        ($0.integer(0), $0.text(1))
      } ?? (0, EntryHash.beginning)
  }

  /// The id of the last entry.
  var lastEntry: Int64 { head.id }

  /// Reads the policy again after a vote was carried out.
  mutating func refreshPolicy(on connection: inout Connection) throws(LedgerError) {
    policy = try rules.policy(on: &connection)
  }

  // MARK: Accounts

  /// The account, or `nil` when it was never opened.
  func account(_ id: String, on connection: inout Connection) throws(LedgerError) -> Account? {
    try connection.account(id)
  }

  /// The account, opened now if it is new; a user's new one gets the signup grant, as far as the supply allows.
  @discardableResult
  mutating func open(
    _ id: String,
    on connection: inout Connection
  ) throws(LedgerError) -> Account {
    if let found = try connection.account(id) { return found }
    try connection.execute(
      "INSERT INTO accounts(id, opened_at) VALUES (?, ?)",
      [.text(id), .integer(now)]
    )
    if AccountName.isUser(id) {
      let grant = min(policy.amount(.signupGrant), try mintable(on: &connection))
      if grant > .zero {
        let draft = EntryDraft(
          .signupGrant,
          grant,
          from: Leg(AccountName.supply),
          to: Leg(id),
          reason: "The account was opened."
        )
        try post(draft, on: &connection)
      }
    }
    return try known(id, on: &connection)
  }

  /// The account.
  ///
  /// - Throws: `UNKNOWN_ACCOUNT` when it was never opened.
  func known(
    _ id: String,
    on connection: inout Connection
  ) throws(LedgerError) -> Account {
    guard let account = try connection.account(id) else {
      throw .refused(
        .unknownAccount,
        """
        There is no account \(JSON.string(id.shortened).text): it is opened when its owner first \
        asks for GET /v1/tokens.
        """
      )
    }
    return account
  }

  // MARK: Supply

  /// What there is of FOG.
  func supply(on connection: inout Connection) throws(LedgerError) -> Amount {
    -(try connection.account(AccountName.supply)?.balance ?? .zero)
  }

  /// What may still be issued.
  func mintable(on connection: inout Connection) throws(LedgerError) -> Amount {
    max(.zero, rules.maximumSupply - (try supply(on: &connection)))
  }

  // MARK: Entries

  /// Enters `draft`: the entry, its two postings, and the balances of both legs.
  ///
  /// - Returns: The entry's id.
  /// - Throws: `INSUFFICIENT_BALANCE` when the leg has less, `UNKNOWN_ACCOUNT`, `SUPPLY_CAP`.
  @discardableResult
  mutating func post(
    _ draft: EntryDraft,
    on connection: inout Connection
  ) throws(LedgerError) -> Int64 {
    if draft.from.account == AccountName.supply {
      let left = try mintable(on: &connection)
      guard draft.amount <= left else {
        throw .refused(
          .supplyCap,
          "\(draft.amount) FOG would pass the maximum supply of \(rules.maximumSupply) FOG; \(left) FOG can still be issued."
        )
      }
    }
    var postings = [
      Entry.Posting(
        account: draft.from.account,
        bucket: draft.from.bucket,
        amount: -draft.amount
      )
    ]
    if let to = draft.to {
      postings.append(.init(account: to.account, bucket: to.bucket, amount: draft.amount))
    }
    let entry = Entry(
      id: head.id + 1,
      at: now,
      kind: draft.kind.rawValue,
      reason: draft.reason,
      reference: draft.reference,
      previous: head.hash,
      postings: postings
    )
    let hash = EntryHash.of(entry)
    try connection.insert(entry, hash: hash)
    for (ordinal, posting) in postings.enumerated() {
      try apply(posting, on: &connection)
      try connection.insert(posting, entry: entry.id, ordinal: ordinal)
    }
    head = (entry.id, hash)
    entries.append(entry)
    return entry.id
  }

  private mutating func apply(
    _ posting: Entry.Posting,
    on connection: inout Connection
  ) throws(LedgerError) {
    var account = try known(posting.account, on: &connection)
    let before = account[posting.bucket]
    account[posting.bucket] += posting.amount
    guard account[posting.bucket] >= .zero || posting.account == AccountName.supply else {
      throw .insufficient(account: posting.account, posting.bucket, needed: -posting.amount, before)
    }
    if posting.amount != .zero { try connection.update(account, posting.bucket) }
    accounts[Array(posting.account.utf8)] = account
  }
}

extension LedgerError {
  /// An account has less than what is needed of it.
  static func insufficient(
    account: String,
    _ bucket: Account.Bucket = .balance,
    needed: Amount,
    _ available: Amount
  ) -> LedgerError {
    let (code, has): (Refusal.Code, String) =
      bucket == .staked
      ? (.insufficientStake, "staked") : (.insufficientBalance, "to spend")
    return .refused(
      code,
      "\(needed) FOG are needed, and the account has \(available) FOG \(has).",
      details: [
        "account": .string(account), "needed": .string(needed.description),
        "available": .string(available.description),
      ]
    )
  }
}
