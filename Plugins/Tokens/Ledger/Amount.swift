package import PluginStorage

/// An amount of FOG, exact, in units of 10⁻¹⁸ FOG.
///
/// Never a floating-point number. 128 bits hold 1.7 · 10²⁰ FOG, and no text of more than 10¹² FOG is read, so that sums
/// of the ledger's amounts cannot overflow.
package struct Amount: Sendable, Hashable {
  /// Digits after the point.
  package static let decimals = 18
  /// Units of one FOG.
  package static let unitsOfOne: Int128 = 1_000_000_000_000_000_000
  /// FOG that an amount may have at most, as it is read.
  package static let greatestWhole: Int128 = 1_000_000_000_000
  /// Nothing.
  package static let zero = Amount(units: 0)

  /// Units of 10⁻¹⁸ FOG; negative for what leaves an account.
  package let units: Int128

  /// An amount of so many units.
  package init(units: Int128) { self.units = units }

  /// An amount of so many FOG.
  package init(whole: Int64) { units = Int128(whole) * Self.unitsOfOne }

  /// Reads a decimal text like `12.5`.
  ///
  /// Digits, and after a point 1 to 18 more; no sign, exponent, space, or zero before another digit.
  ///
  /// - Parameter text: At most 64 bytes.
  /// - Throws: `AmountError`, which says what is wanted.
  package init(_ text: String) throws(AmountError) {
    var bytes = Array(text.utf8)
    guard (1...64).contains(bytes.count) else { throw .malformed }
    let isNegative = bytes[0] == UInt8(ascii: "-")
    if isNegative { bytes.removeFirst() }
    let parts = bytes.split(
      separator: UInt8(ascii: "."),
      maxSplits: 1,
      omittingEmptySubsequences: false
    )
    guard let whole = parts.first, parts.allSatisfy(Self.isDigits),
      whole.count == 1 || whole.first != UInt8(ascii: "0")
    else { throw .malformed }
    if isNegative { throw .negative }
    let fraction = parts.count > 1 ? parts[1] : []
    guard fraction.count <= Self.decimals else { throw .tooManyDecimals }
    guard whole.count <= 13, Self.number(whole) <= Self.greatestWhole else { throw .tooLarge }
    var below = Self.number(fraction)
    for _ in fraction.count..<Self.decimals { below *= 10 }
    let total = Self.number(whole) * Self.unitsOfOne + below
    guard total <= Self.greatestWhole * Self.unitsOfOne else { throw .tooLarge }
    units = total
  }

  private static func isDigits(_ bytes: ArraySlice<UInt8>) -> Bool {
    !bytes.isEmpty && bytes.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
  }

  private static func number(_ digits: ArraySlice<UInt8>) -> Int128 {
    digits.reduce(0) { $0 * 10 + Int128($1 - UInt8(ascii: "0")) }
  }
}

/// Why a text is no amount; the description follows the field's name.
package enum AmountError: Error, Equatable, CustomStringConvertible {
  case malformed
  case negative
  case zero
  case tooManyDecimals
  case tooLarge

  package var description: String {
    switch self {
    case .malformed: "must be a decimal text of FOG like \"12.5\": digits, and after a point more"
    case .negative: "must not be negative"
    case .zero: "must be more than 0"
    case .tooManyDecimals: "must have at most \(Amount.decimals) digits after the point"
    case .tooLarge: "must be at most \(Amount.greatestWhole) FOG"
    }
  }
}

extension Amount: CustomStringConvertible {
  /// The shortest decimal text, as `12.5`; exact.
  package var description: String {
    let whole = units.magnitude / UInt128(Self.unitsOfOne)
    let below = units.magnitude % UInt128(Self.unitsOfOne)
    let sign = units < 0 ? "-" : ""
    if below == 0 { return "\(sign)\(whole)" }
    var digits = String(below)
    digits = String(repeating: "0", count: Self.decimals - digits.utf8.count) + digits
    while digits.utf8.last == UInt8(ascii: "0") { digits.removeLast() }
    return "\(sign)\(whole).\(digits)"
  }
}

extension Amount: Comparable {
  package static func < (one: Amount, other: Amount) -> Bool { one.units < other.units }
  package static func + (one: Amount, other: Amount) -> Amount {
    Amount(units: one.units + other.units)
  }
  package static func - (one: Amount, other: Amount) -> Amount {
    Amount(units: one.units - other.units)
  }
  package static prefix func - (amount: Amount) -> Amount { Amount(units: -amount.units) }
  package static func += (one: inout Amount, other: Amount) { one = one + other }
  package static func -= (one: inout Amount, other: Amount) { one = one - other }

  /// `self · numerator / denominator`, rounded down.
  ///
  /// Exact without a product that could overflow: quotient and remainder are multiplied apart.
  ///
  /// - Parameters:
  ///   - numerator: Not negative.
  ///   - denominator: More than 0; its product with the numerator is less than 10³⁸.
  /// - Returns: The share.
  package func share(_ numerator: Int128, of denominator: Int128) -> Amount {
    let (quotient, rest) = units.quotientAndRemainder(dividingBy: denominator)
    return Amount(units: quotient * numerator + rest * numerator / denominator)
  }
}

// MARK: - In SQLite

// SQLite's integers have 64 bits and its SUM fails beyond them. Three limbs, all of the amount's sign, can be summed over
// 9 · 10⁹ rows by any client: FOG, 10⁻⁹ FOG and 10⁻¹⁸ FOG.
extension Amount {
  private static let limb: Int128 = 1_000_000_000

  /// From limbs or sums of them.
  package init(whole: Int64, nano: Int64, atto: Int64) {
    units = (Int128(whole) * Self.limb + Int128(nano)) * Self.limb + Int128(atto)
  }

  /// The limbs: FOG, 10⁻⁹ FOG, 10⁻¹⁸ FOG.
  package var limbs: [Int64] {
    let (whole, below) = units.quotientAndRemainder(dividingBy: Self.unitsOfOne)
    return [Int64(whole), Int64(below / Self.limb), Int64(below % Self.limb)]
  }

  /// The limbs as values of three columns.
  package var columns: [SQLValue] { limbs.map(SQLValue.integer) }
}

extension Row {
  /// The amount whose limbs stand in three columns from `column` on.
  package func amount(_ column: Int32) -> Amount {
    Amount(whole: integer(column), nano: integer(column + 1), atto: integer(column + 2))
  }
}
