package import GatewayPlugin
package import PluginStorage

/// Why the ledger does not do what was asked: a rule of it, in a sentence for the caller.
package struct Refusal: Error, Sendable, Equatable {
  /// The rule.
  package enum Code: String, Sendable {
    case insufficientBalance = "INSUFFICIENT_BALANCE"
    case unknownAccount = "UNKNOWN_ACCOUNT"
    case invalidAmount = "INVALID_AMOUNT"
    case idempotencyConflict = "IDEMPOTENCY_CONFLICT"
    case lockClosed = "LOCK_CLOSED"
    case unknownLock = "UNKNOWN_LOCK"
    case supplyCap = "SUPPLY_CAP"
    case notAllowed = "NOT_ALLOWED"
    case stakeLocked = "STAKE_LOCKED"
    case insufficientStake = "INSUFFICIENT_STAKE"
    case unknownProposal = "UNKNOWN_PROPOSAL"
    case alreadyVoted = "ALREADY_VOTED"
    case votingClosed = "VOTING_CLOSED"
    case notExecutable = "PROPOSAL_NOT_EXECUTABLE"

    /// 404 for what is not there, 403 for who may not, 422 for a request that can never do, and 409 for what the state
    /// of an account does not allow now.
    var status: UInt16 {
      switch self {
      case .unknownAccount, .unknownLock, .unknownProposal: 404
      case .notAllowed: 403
      case .invalidAmount, .idempotencyConflict: 422
      case .insufficientBalance, .lockClosed, .supplyCap, .stakeLocked, .insufficientStake,
        .alreadyVoted, .votingClosed, .notExecutable:
        409
      }
    }
  }

  package let code: Code
  package let message: String
  package let details: JSON?

  /// A refusal.
  ///
  /// - Parameters:
  ///   - code: The rule.
  ///   - message: What was wrong and what to do.
  ///   - details: Further facts.
  package init(_ code: Code, _ message: String, details: JSON? = nil) {
    self.code = code
    self.message = message
    self.details = details
  }
}

/// What ends a use of the ledger without having changed anything.
package enum LedgerError: Error, Equatable {
  /// A rule does not allow it.
  case refused(Refusal)
  /// A request that can never do, by its fields.
  case invalid([FieldError])
  /// The audit found the ledger broken; nothing is entered until an operator has looked.
  case halted
  /// It could not be stored or read.
  case storage(StorageError)

  static func refused(_ code: Refusal.Code, _ message: String, details: JSON? = nil) -> LedgerError
  { .refused(Refusal(code, message, details: details)) }

  static func invalid(_ field: String, _ reason: String) -> LedgerError {
    .invalid([FieldError(field: field, reason: reason)])
  }
}

extension Connection {
  /// Runs one statement.
  @discardableResult
  mutating func execute(
    _ sql: String,
    _ values: [SQLValue] = []
  ) throws(LedgerError) -> Int {
    do { return try run(sql, values) } catch { throw .storage(error) }
  }

  /// The first row, or `nil`.
  mutating func find<Value>(
    _ sql: String,
    _ values: [SQLValue] = [],
    _ read: (Row) -> Value
  ) throws(LedgerError) -> Value? {
    do { return try first(sql, values, read) } catch { throw .storage(error) }
  }

  /// Every row.
  mutating func list<Value>(
    _ sql: String,
    _ values: [SQLValue] = [],
    _ read: (Row) -> Value
  ) throws(LedgerError) -> [Value] {
    do { return try rows(sql, values, read) } catch { throw .storage(error) }
  }
}

extension String {
  /// The first 64 code points: what a caller sent is shown to it, but not at any length.
  var shortened: String { String(unicodeScalars.prefix(64)) }
}
