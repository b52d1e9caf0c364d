import GatewayPlugin
import Synchronization

@testable import P2PFog

/// The service `tokens` as its contract says, in memory.
final class FakeLedger: Sendable {
  struct Lock {
    var account: String
    var amount: Amount
    var reference: String
    var state = "open"
  }

  struct Books {
    var balances: [String: Amount] = [:]
    var locks: [String: Lock] = [:]
    /// First answer of each key, with the argument it belongs to.
    var answers: [String: (argument: JSON, answer: JSON)] = [:]
    /// Settlements and releases as they were carried out, by their key.
    var settled: [(key: String, method: String, argument: JSON)] = []
    var calls: [String] = []
    /// What the next calls end with, whatever they ask.
    var refusal: HostRefusal?
    var refused: (code: String, message: String)?
    /// The only method that is refused; `nil` for all.
    var refusedMethod: String?
    /// Keys whose calls are not understood.
    var malformed: Set<String> = []
    /// Methods that are not understood.
    var malformedMethods: Set<String> = []
    /// Called with each answer before it is given.
    var onAnswer: (@Sendable (_ method: String) -> Void)?
  }

  let books = Mutex(Books())

  init(_ balances: [String: Int] = ["ada": 1000, "bob": 1000, "eve": 1000]) {
    books.withLock { $0.balances = balances.mapValues { Amount($0 * Amount.unit) } }
  }

  func call(_ method: String, _ argument: JSON) throws(HostRefusal) -> JSON {
    let answer = try answer(method, argument)
    // Without the lock: another thread may call meanwhile.
    books.withLock { $0.onAnswer }?(method)
    return answer
  }

  private func answer(_ method: String, _ argument: JSON) throws(HostRefusal) -> JSON {
    try books.withLock { (books) throws(HostRefusal) in
      books.calls.append(method)
      if let refusal = books.refusal { throw refusal }
      if let refused = books.refused, books.refusedMethod ?? method == method {
        return ["refused": ["code": .string(refused.code), "message": .string(refused.message)]]
      }
      guard let key = argument["idempotency_key"]?.asString else { throw .argument }
      if books.malformed.contains(key) || books.malformedMethods.contains(method) {
        throw .argument
      }
      if let known = books.answers[key] {
        guard known.argument == argument else { return Self.no("IDEMPOTENCY_CONFLICT") }
        return known.answer
      }
      let answer = Self.perform(method, argument, key, &books)
      if answer["refused"] == nil { books.answers[key] = (argument, answer) }
      return answer
    }
  }

  private static func no(_ code: String) -> JSON {
    ["refused": ["code": .string(code), "message": .string("The ledger says \(code).")]]
  }

  private static func perform(
    _ method: String,
    _ argument: JSON,
    _ key: String,
    _ books: inout Books
  ) -> JSON {
    if method == "lock" { return lock(argument, &books) }
    guard let id = argument["lock_id"]?.asString, let lock = books.locks[id] else {
      return no("UNKNOWN_LOCK")
    }
    guard lock.state == "open" else { return no("LOCK_CLOSED") }
    var paid = Amount.zero
    for payment in argument["payments"]?.asArray ?? [] {
      guard let to = payment["to"]?.asString,
        let amount = payment["amount"]?.asString.flatMap({ Amount($0) }), amount > .zero
      else { return no("INVALID_AMOUNT") }
      paid = paid + amount
      books.balances[to] = (books.balances[to] ?? .zero) + amount
    }
    guard paid <= lock.amount else { return no("INSUFFICIENT_BALANCE") }
    let back = lock.amount - paid
    books.balances[lock.account] = (books.balances[lock.account] ?? .zero) + back
    books.locks[id]?.state = method == "settle" ? "settled" : "released"
    books.settled.append((key, method, argument))
    return ["paid": .string(paid.text), "refunded": .string(back.text)]
  }

  private static func lock(_ argument: JSON, _ books: inout Books) -> JSON {
    guard let account = argument["account"]?.asString,
      let amount = argument["amount"]?.asString.flatMap({ Amount($0) }), amount > .zero
    else { return no("INVALID_AMOUNT") }
    guard let balance = books.balances[account], balance >= amount else {
      return no("INSUFFICIENT_BALANCE")
    }
    let id = "lock-\(books.locks.count + 1)"
    books.balances[account] = balance - amount
    books.locks[id] = Lock(
      account: account,
      amount: amount,
      reference: argument["reference"]?.asString ?? ""
    )
    return ["lock_id": .string(id), "amount": .string(amount.text)]
  }

  /// All balances and open locks together.
  var total: Amount {
    books.withLock { books in
      let open = books.locks.values.filter { $0.state == "open" }.map(\.amount)
      return (Array(books.balances.values) + open).reduce(.zero, +)
    }
  }

  func balance(_ account: String) -> Amount { books.withLock { $0.balances[account] ?? .zero } }
  var openLocks: Int { books.withLock { $0.locks.values.count { $0.state == "open" } } }
  var settled: [(key: String, method: String, argument: JSON)] { books.withLock { $0.settled } }
}
