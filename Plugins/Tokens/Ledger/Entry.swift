import GatewayPlugin
import PluginStorage

/// What an entry of the journal is about.
package enum EntryKind: String, Sendable, CaseIterable {
  case mint
  case burn
  case transfer
  case stake
  case unstake
  case reward
  case penalty
  case governanceVote = "governance_vote"
  case marketplaceFee = "marketplace_fee"
  case lock
  case settlement
  case release
  case fee
  case signupGrant = "signup_grant"
}

/// One part of one account.
package struct Leg: Sendable, Equatable {
  package let account: String
  package let bucket: Account.Bucket

  package init(_ account: String, _ bucket: Account.Bucket = .balance) {
    self.account = account
    self.bucket = bucket
  }
}

/// What is to be entered: an amount that leaves one leg and arrives in another.
package struct EntryDraft: Sendable {
  package let kind: EntryKind
  package let amount: Amount
  package let from: Leg
  /// `nil` for a vote alone, which moves nothing.
  package let to: Leg?
  /// Why, in words: a memo, or what the rule says.
  package var reason = ""
  /// What it belongs to: a job, a stake, a proposal, an entry.
  package var reference = ""

  package init(
    _ kind: EntryKind,
    _ amount: Amount,
    from: Leg,
    to: Leg?,
    reason: String = "",
    reference: String = ""
  ) {
    self.kind = kind
    self.amount = amount
    self.from = from
    self.to = to
    self.reason = reason
    self.reference = reference
  }
}

/// An entry of the journal; never changed once it stands.
package struct Entry: Sendable, Equatable {
  /// One line of an entry.
  package struct Posting: Sendable, Equatable {
    package let account: String
    package let bucket: Account.Bucket
    /// Negative for what leaves.
    package let amount: Amount
  }

  /// From 1, without gaps.
  package let id: Int64
  /// Nanoseconds since 1970.
  package let at: Int64
  package let kind: String
  package let reason: String
  package let reference: String
  /// The hash of the entry before; of the first, `EntryHash.beginning`.
  package let previous: String
  /// Two of opposite amounts, first what leaves; one of 0 for a vote.
  package let postings: [Posting]
}
