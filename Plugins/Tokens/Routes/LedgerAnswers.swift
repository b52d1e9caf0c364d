import GatewayPlugin
import StorageAnswers

/// What clients are told when storage fails.
private let storage = StorageAnswers(store: "The ledger", remedy: nil)

extension Failure {
  /// What a client is told when the ledger did not do what was asked; `nil` when that is our own fault.
  static func answer(to error: LedgerError) -> Failure? {
    switch error {
    case .refused(let refusal):
      Failure(
        status: refusal.code.status,
        code: refusal.code.rawValue,
        message: refusal.message,
        details: refusal.details
      )
    case .invalid(let errors): .validation(errors)
    case .halted:
      Failure(
        status: 503,
        code: "LEDGER_HALTED",
        message:
          "The ledger failed its audit, and nothing is entered until its operator has looked.",
        fields: ["Retry-After": "300"]
      )
    case .storage(let error): storage.failure(error)
    }
  }
}

/// Runs `body`; what the ledger throws becomes an answer where the client can do something about it.
func answering<Value>(_ body: () throws(LedgerError) -> Value) throws -> Value {
  do {
    return try body()
  } catch {
    throw Failure.answer(to: error) ?? (error as any Error)
  }
}

/// The answer to a request that may have come before; a replay says so in a field.
func respond(
  _ message: String,
  _ body: () throws(LedgerError) -> OnceAnswer
) throws -> Response {
  let answer = try answering(body)
  return .data(
    answer.json,
    message: message,
    fields: answer.isReplay ? ["Idempotent-Replayed": "true"] : [:]
  )
}

extension Caller {
  /// The caller's account: the subject.
  ///
  /// - Returns: The account's name.
  /// - Throws: 403 for a subject that would be an account of the ledger itself or of a node.
  func account() throws(Failure) -> String {
    guard AccountName.isWellFormed(subject), AccountName.isUser(subject) else {
      throw .forbidden(
        "The subject of this token can have no account: it must have 1 to \(AccountName.longest) characters and not begin with system: or fog:."
      )
    }
    return subject
  }
}

extension Fields {
  /// An amount of FOG more than 0, as a decimal text.
  mutating func amount(_ name: String) -> Amount {
    guard let json = json(name) else {
      refuse(name, "is required")
      return .zero
    }
    // A JSON number has been through binary fractions somewhere; a text has all its digits.
    guard let text = json.asString else {
      refuse(name, AmountError.malformed.description)
      return .zero
    }
    do throws(AmountError) {
      let amount = try Amount(text)
      if amount == .zero { throw .zero }
      return amount
    } catch {
      refuse(name, error.description)
      return .zero
    }
  }

  /// The name of an account.
  mutating func account(_ name: String) -> String {
    let account = string(name, 1...AccountName.longest)
    if !account.isEmpty, !AccountName.isWellFormed(account) {
      refuse(name, "must have no control characters")
    }
    return account
  }
}
