import TestSupport
import Testing

@testable import Tokens

/// A ledger, and beside it what must come out of the same operations, kept in plain dictionaries.
struct LedgerModel {
  private static let fee = Amount.unitsOfOne / 100

  let book: Book
  var random: SeededGenerator
  private(set) var balance: [String: Int128] = [:]
  private(set) var staked: [String: Int128] = [:]
  private(set) var locked: [String: Int128] = [:]
  private(set) var treasury: Int128 = 1_000_000_000 * Amount.unitsOfOne
  private var locks: [(id: String, account: String, amount: Int128)] = []

  init(_ book: Book, seed: UInt64, users: [String]) throws {
    self.book = book
    random = SeededGenerator(seed: seed)
    for user in users {
      try book.open(user)
      balance[user] = 1000 * Amount.unitsOfOne
    }
  }

  var total: Int128 {
    [balance, staked, locked].reduce(treasury) { $0 + $1.values.reduce(0, +) }
  }

  func balance(_ user: String) -> Int128 { balance[user, default: 0] }
  func staked(_ user: String) -> Int128 { staked[user, default: 0] }
  func locked(_ user: String) -> Int128 { locked[user, default: 0] }

  /// Does one random thing to both.
  mutating func step(_ users: [String]) {
    let one = users[Int.random(in: 0..<users.count, using: &random)]
    let other = users[Int.random(in: 0..<users.count, using: &random)]
    // Often more than there is, and with all 18 decimals.
    let units = Int128.random(in: -5...700 * Amount.unitsOfOne, using: &random)
    switch Int.random(in: 0..<8, using: &random) {
    case 0, 1: transfer(one, other, units)
    case 2, 3: issue(one, units, isMint: Bool.random(using: &random))
    case 4: stake(one, units)
    case 5: unstake(one, units)
    case 6: lock(one, units)
    default: settle(one, other, max(0, units))
    }
  }

  /// Does `body`, which must be refused exactly when the model says so; gives whether it was done.
  private func isDone(_ allowed: Bool, _ body: () throws -> Void) -> Bool {
    let code = refusal(body)
    #expect(code.isEmpty == allowed, "\(code)")
    return allowed && code.isEmpty
  }

  private mutating func transfer(_ one: String, _ other: String, _ units: Int128) {
    let allowed = units > 0 && one != other && balance(one) >= units + Self.fee
    let done = isDone(allowed) {
      _ = try book.ledger.transfer(from: one, to: other, amount: Amount(units: units), key: nil)
    }
    guard done else { return }
    balance[one, default: 0] -= units + Self.fee
    balance[other, default: 0] += units
    treasury += Self.fee
  }

  private mutating func issue(_ one: String, _ units: Int128, isMint: Bool) {
    let (ledger, amount) = (book.ledger, Amount(units: units))
    let done = isDone(units > 0 && (isMint || balance(one) >= units)) {
      _ =
        isMint
        ? try ledger.mint(to: one, amount: amount, reason: "", key: nil)
        : try ledger.burn(from: one, amount: amount, reason: "", key: nil)
    }
    if done { balance[one, default: 0] += isMint ? units : -units }
  }

  private mutating func stake(_ one: String, _ units: Int128) {
    let done = isDone(units > 0 && balance(one) >= units) {
      _ = try book.ledger.stake(one, amount: Amount(units: units), seconds: nil, key: nil)
    }
    guard done else { return }
    balance[one, default: 0] -= units
    staked[one, default: 0] += units
  }

  private mutating func unstake(_ one: String, _ units: Int128) {
    let done = isDone(units > 0 && staked(one) >= units) {
      _ = try book.ledger.unstake(one, amount: Amount(units: units), key: nil)
    }
    guard done else { return }
    balance[one, default: 0] += units
    staked[one, default: 0] -= units
  }

  private mutating func lock(_ one: String, _ units: Int128) {
    var id = ""
    let done = isDone(units > 0 && balance(one) >= units) {
      let answer = try book.ledger.lock(one, amount: Amount(units: units), reference: "", key: nil)
      id = answer.json["lock_id"]?.asString ?? ""
    }
    guard done else { return }
    balance[one, default: 0] -= units
    locked[one, default: 0] += units
    locks.append((id, one, units))
  }

  /// Pays a third of a lock to `other`, and takes a penalty of `one`.
  private mutating func settle(_ one: String, _ other: String, _ penalty: Int128) {
    guard !locks.isEmpty else { return }
    let lock = locks.remove(at: Int.random(in: 0..<locks.count, using: &random))
    let paid = lock.amount / 3
    var settlement = Settlement(lock: lock.id)
    settlement.payments = [.init(to: other, amount: Amount(units: paid), reason: .payment)]
    settlement.penalty = (one, Amount(units: penalty))
    guard isDone(true, { _ = try book.ledger.settle(settlement, key: nil) }) else { return }
    locked[lock.account, default: 0] -= lock.amount
    balance[lock.account, default: 0] += lock.amount - paid
    balance[other, default: 0] += paid
    let ofBalance = min(penalty, balance(one))
    balance[one, default: 0] -= ofBalance
    staked[one, default: 0] -= min(penalty - ofBalance, staked(one))
  }
}
