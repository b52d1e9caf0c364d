package import GatewayPlugin
import PluginStorage

/// What makes a repeated request the same one: whose key, which, and a digest of what was asked.
package struct IdempotencyKey: Sendable, Equatable {
  package let subject: String
  package let key: String
  package let digest: String

  /// A key.
  ///
  /// - Parameters:
  ///   - subject: Whose; keys of others are others.
  ///   - key: As sent.
  ///   - operation: What is done, like `transfer`.
  ///   - argument: With what; the order of members does not count.
  package init(subject: String, key: String, operation: String, argument: JSON) {
    self.subject = subject
    self.key = key
    digest = SHA256.hexadecimal(of: operation + "\n" + argument.sorted.text)
  }
}

/// The answer to a request that may have come before.
package struct OnceAnswer: Sendable, Equatable {
  package let json: JSON
  /// Whether it is the answer of the first time, and nothing was changed now.
  package let isReplay: Bool
}

extension JSON {
  /// The same with the members of every object in the order of their names' bytes.
  fileprivate var sorted: JSON {
    switch self {
    case .array(let values): .array(values.map(\.sorted))
    case .object(let members):
      .object(
        members.map { .init(name: $0.name, value: $0.value.sorted) }
          .sorted { $0.name.utf8.lexicographicallyPrecedes($1.name.utf8) }
      )
    default: self
    }
  }
}

extension Connection {
  /// The answer kept under `key`.
  ///
  /// - Throws: `IDEMPOTENCY_CONFLICT` when another request had the key.
  mutating func answer(to key: IdempotencyKey) throws(LedgerError) -> JSON? {
    let kept = try find(
      "SELECT digest, answer FROM idempotency WHERE subject = ? AND key = ?",
      [.text(key.subject), .text(key.key)]
    ) { (digest: $0.text(0), answer: $0.text(1)) }
    guard let kept else { return nil }
    guard kept.digest == key.digest else {
      throw .refused(
        .idempotencyConflict,
        "This idempotency key was used for another request; take a new key for a new request."
      )
    }
    do { return try JSON.parse(Array(kept.answer.utf8)) } catch {
      throw .storage(.statement(code: 0, reason: "a kept answer is no JSON", sql: ""))
    }
  }

  mutating func keep(_ answer: JSON, under key: IdempotencyKey, at: Int64) throws(LedgerError) {
    try execute(
      "INSERT INTO idempotency(subject, key, digest, answer, at) VALUES (?, ?, ?, ?, ?)",
      [
        .text(key.subject), .text(key.key), .text(key.digest), .text(answer.text), .integer(at),
      ]
    )
  }
}
