package import GatewayPlugin
import PluginStorage

/// The service `tokens`: other plugins ask for balances, and trusted ones lock, settle and release.
///
/// | method | argument | result |
/// |---|---|---|
/// | `balance` | `account` | `account, balance, staked, locked` |
/// | `lock` | `account, amount, reference, idempotency_key` | `lock_id, amount, balance` |
/// | `settle` | `lock_id, idempotency_key, payments, reward?, penalty?` | `settled, paid, refunded, reward, penalty, entries` |
/// | `release` | `lock_id, idempotency_key` | `refunded` |
/// | `lock_state` | `lock_id` | `lock_id, state, amount, account, reference` |
/// | `policy` | – | what `GET /v1/tokens/policy` says |
///
/// Amounts are decimal texts. A refusal by a rule is the result `{"refused": {"code", "message"}}`;
/// `HostRefusal.argument`: a member of the argument is missing or malformed, and the log says which.
package struct TokensService: Sendable {
  /// What other plugins call it.
  package static let name = "tokens"

  /// Payments of one settlement at most.
  package static let mostPayments = 256

  private let ledger: Ledger
  private let trusted: Set<String>
  /// Told why an argument was refused.
  private let complain: @Sendable (String) -> Void

  /// Serves `ledger`.
  ///
  /// - Parameters:
  ///   - ledger: What is asked.
  ///   - trusted: Plugins that may lock, settle and release.
  ///   - complain: Told why an argument was refused.
  package init(
    _ ledger: Ledger,
    trusted: [String],
    complain: @escaping @Sendable (String) -> Void = { _ in }
  ) {
    self.ledger = ledger
    self.trusted = Set(trusted)
    self.complain = complain
  }

  /// Answers one call; on a worker, may block.
  ///
  /// - Parameter call: Of another plugin.
  /// - Returns: The result, as the table above says.
  /// - Throws: `HostRefusal` for the caller, `LedgerError` for the log.
  package func answer(_ call: Services.Call) throws -> JSON {
    try answer(call.method, call.argument, caller: call.caller)
  }

  /// The same, of a call's parts.
  ///
  /// - Parameters:
  ///   - method: What is wanted.
  ///   - argument: With what.
  ///   - caller: The plugin that calls.
  /// - Returns: The result.
  /// - Throws: `HostRefusal` for the caller, `LedgerError` for the log.
  package func answer(_ method: String, _ argument: JSON, caller: String) throws -> JSON {
    do {
      return try result(method, argument, caller)
    } catch let failure as Failure {
      complain("tokens \(method): \(failure.details?.text ?? failure.message)")
      throw HostRefusal.argument
    } catch LedgerError.refused(let refusal) {
      return refusal.asAnswer
    } catch LedgerError.invalid(let errors) {
      let reasons = errors.map { "\($0.field) \($0.reason)" }.joined(separator: "; ")
      return Refusal(.invalidAmount, reasons).asAnswer
    } catch LedgerError.storage(.busy), LedgerError.storage(.timedOut) {
      throw HostRefusal.busy
    }
  }

  private func result(_ method: String, _ argument: JSON, _ caller: String) throws -> JSON {
    let isTrusted = trusted.contains(caller)
    switch method {
    case "balance":
      return try balance(argument, isTrusted)
    case "policy":
      return ledger.rules.json(try ledger.policy())
    case "lock_state":
      return try ledger.lockState(try read(argument) { Self.text("lock_id", 1...64, &$0) })
    case "lock", "settle", "release":
      guard isTrusted else {
        throw LedgerError.refused(
          .notAllowed,
          "The plugin \(caller) is not among the trusted_callers of the plugin tokens."
        )
      }
    default: throw HostRefusal.unsupported("\(Self.name) \(method)")
    }
    let key = try read(argument) { Self.text("idempotency_key", 1...128, &$0) }
    let once = IdempotencyKey(
      subject: "service:\(caller)",
      key: key,
      operation: method,
      argument: argument.without("idempotency_key")
    )
    switch method {
    case "lock": return try lock(argument, once)
    case "release":
      let lock = try read(argument) { Self.text("lock_id", 1...64, &$0) }
      return try ledger.release(lock, key: once).json
    default:
      return try ledger.settle(try Self.settlement(argument), key: once).json
    }
  }

  private func balance(_ argument: JSON, _ isTrusted: Bool) throws -> JSON {
    let id = try read(argument) { Self.account("account", &$0) }
    let account: Account?
    if isTrusted, AccountName.isUser(id) {
      account = try ledger.openAccount(id)
    } else {
      account = try ledger.account(id)
    }
    guard let account else {
      throw LedgerError.refused(.unknownAccount, "There is no account \(JSON.string(id).text).")
    }
    return [
      "account": .string(id), "balance": .amount(account.balance),
      "staked": .amount(account.staked), "locked": .amount(account.locked),
    ]
  }

  private func lock(_ argument: JSON, _ key: IdempotencyKey) throws -> JSON {
    let (account, reference) = try read(argument) { fields in
      (Self.account("account", &fields), Self.text("reference", 0...255, &fields))
    }
    let amount = try Self.amount(argument, "amount")
    return try ledger.lock(account, amount: amount, reference: reference, key: key).json
  }

  // MARK: Arguments

  /// Reads members; others than `read` asks for are looked at elsewhere.
  private func read<Value>(_ json: JSON, _ read: (inout Fields) -> Value) throws -> Value {
    try Self.read(json, read)
  }

  private static func read<Value>(
    _ json: JSON,
    _ read: (inout Fields) -> Value
  ) throws -> Value {
    var fields = Fields(json)
    let value = read(&fields)
    try fields.finish(unknown: .ignored)
    return value
  }

  private static func text(
    _ name: String,
    _ length: ClosedRange<Int>,
    _ fields: inout Fields
  ) -> String {
    fields.string(name, length)
  }

  private static func account(_ name: String, _ fields: inout Fields) -> String {
    let account = fields.string(name, 1...AccountName.longest)
    if !account.isEmpty, !AccountName.isWellFormed(account) {
      fields.refuse(name, "must have no control characters")
    }
    return account
  }

  /// An amount, 0 included; what is none is a refusal of the ledger, not of the call.
  private static func amount(_ json: JSON, _ name: String) throws(LedgerError) -> Amount {
    guard let text = json[name]?.asString else {
      throw .refused(.invalidAmount, "\(name) \(AmountError.malformed)")
    }
    do throws(AmountError) { return try Amount(text) } catch {
      throw .refused(.invalidAmount, "\(name) \(error)")
    }
  }

  private static func settlement(_ argument: JSON) throws -> Settlement {
    let reasons = Settlement.Payment.Reason.allCases.map(\.rawValue)
    let (lock, payees, contribution, offender) = try read(argument) { fields in
      (
        text("lock_id", 1...64, &fields),
        fields.objects("payments", 0...mostPayments) { part in
          _ = part.json("amount")
          let reason = part.choice("reason", reasons)
          let to = reason == "payment" ? account("to", &part) : part.string("to", default: "")
          return (to, Settlement.Payment.Reason(rawValue: reason) ?? .payment)
        },
        fields.optionalObject("reward") { part in
          (account("to", &part), Contribution(&part))
        },
        fields.optionalObject("penalty") { part in
          _ = part.json("amount")
          return account("from", &part)
        }
      )
    }
    var settlement = Settlement(lock: lock)
    let amounts = argument["payments"]?.asArray ?? []
    for (payee, json) in zip(payees, amounts) {
      let amount = try amount(json, "amount")
      settlement.payments.append(.init(to: payee.0, amount: amount, reason: payee.1))
    }
    if var contribution, let record = argument["reward"] {
      contribution.1.record = record
      settlement.reward = (contribution.0, contribution.1)
    }
    if let offender, let penalty = argument["penalty"] {
      settlement.penalty = (offender, try amount(penalty, "amount"))
    }
    return settlement
  }
}

extension Refusal {
  /// The result of a call that a rule refused.
  fileprivate var asAnswer: JSON {
    ["refused": ["code": .string(code.rawValue), "message": .string(message)]]
  }
}

extension JSON {
  /// The same object without a member.
  fileprivate func without(_ name: String) -> JSON {
    .object((asMembers ?? []).filter { $0.name != name })
  }
}
