import PluginStorage

/// What an account has.
package struct Account: Sendable, Equatable {
  /// In which of an account's parts an amount stands.
  package enum Bucket: String, Sendable, CaseIterable {
    /// Free to spend.
    case balance
    /// Staked: votes, earns, and is locked for a time.
    case staked
    /// Held for a job that is under way.
    case locked
  }

  package let id: String
  package var balance = Amount.zero
  package var staked = Amount.zero
  package var locked = Amount.zero
  /// Nanoseconds since 1970.
  package var openedAt: Int64 = 0

  package init(id: String) { self.id = id }

  /// Reads columns 0…8, the limbs of the three parts, and 9, when it was opened.
  init(id: String, _ row: Row) {
    self.id = id
    balance = row.amount(0)
    staked = row.amount(3)
    locked = row.amount(6)
    openedAt = row.integer(9)
  }

  static let columns = Bucket.allCases.flatMap { bucket in
    ["whole", "nano", "atto"].map { "\(bucket.rawValue)_\($0)" }
  }.joined(separator: ", ")

  /// All parts together.
  package var total: Amount { balance + staked + locked }

  package subscript(bucket: Bucket) -> Amount {
    get {
      switch bucket {
      case .balance: balance
      case .staked: staked
      case .locked: locked
      }
    }
    set {
      switch bucket {
      case .balance: balance = newValue
      case .staked: staked = newValue
      case .locked: locked = newValue
      }
    }
  }
}

/// Whose an account is, by its name.
package enum AccountName {
  /// What was issued, as a negative balance; the only account below zero.
  package static let supply = "system:supply"
  /// Fees, and the initial supply.
  package static let treasury = "system:treasury"
  /// Characters of a name at most.
  package static let longest = 255

  /// Whether the name is the ledger's own.
  package static func isSystem(_ name: String) -> Bool { name.utf8.starts(with: "system:".utf8) }

  /// Whether the name is a user's subject: neither the ledger's own nor a node's.
  package static func isUser(_ name: String) -> Bool {
    !isSystem(name) && !name.utf8.starts(with: "fog:".utf8)
  }

  /// Whether a text can be the name of an account: 1…255 code points, none of them a control character.
  package static func isWellFormed(_ name: String) -> Bool {
    (1...longest).contains(name.unicodeScalars.count)
      && name.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F }
  }
}
