/// An amount of FOG, in whole 10⁻⁹ FOG.
///
/// The ledger counts 10⁻¹⁸; prices and costs here are multiples of 10⁻⁹, so that every product fits 128 bits and every sum 64.
package struct Amount: Sendable, Hashable, Comparable {
  /// Parts of one FOG.
  package static let unit = 1_000_000_000
  /// The largest there is: the ledger's maximum supply would be 10¹⁰ FOG, which does not fit and no job costs.
  package static let max = Amount(Int.max)
  package static let zero = Amount(0)

  /// Never below 0 here.
  package let parts: Int

  /// So many 10⁻⁹ FOG.
  package init(_ parts: Int) { self.parts = parts }

  /// Reads a decimal text like `12.5`; `nil` for anything else, and for what does not fit.
  ///
  /// - Parameter text: Digits, at most one point, at most 18 decimals, of which more than 9 are cut off.
  package init?(_ text: String) {
    let halves = text.split(separator: ".", omittingEmptySubsequences: false)
    guard (1...2).contains(halves.count), halves.allSatisfy({ !$0.isEmpty }), text.utf8.count <= 40,
      text.utf8.allSatisfy({ $0 == UInt8(ascii: ".") || (48...57).contains($0) })
    else { return nil }
    let decimals = halves.count == 2 ? halves[1] : ""
    guard decimals.utf8.count <= 18, let whole = Int(halves[0]) else { return nil }
    let nine = decimals.prefix(9) + String(repeating: "0", count: 9 - decimals.prefix(9).count)
    let (product, overflow) = whole.multipliedReportingOverflow(by: Self.unit)
    guard !overflow, let fraction = Int(nine) else { return nil }
    let (sum, carries) = product.addingReportingOverflow(fraction)
    guard !carries else { return nil }
    parts = sum
  }

  /// As the ledger takes it: without needless zeros.
  package var text: String {
    let whole = parts / Self.unit
    let fraction = parts % Self.unit
    guard fraction != 0 else { return "\(whole)" }
    var digits = String(fraction)
    digits = String(repeating: "0", count: 9 - digits.count) + digits
    while digits.last == "0" { digits.removeLast() }
    return "\(whole).\(digits)"
  }

  /// For answers beside the original's numbers; rounded to what a double holds.
  package var number: Double { Double(parts) / Double(Self.unit) }

  package static func < (left: Amount, right: Amount) -> Bool { left.parts < right.parts }

  package static func + (left: Amount, right: Amount) -> Amount {
    let (sum, overflow) = left.parts.addingReportingOverflow(right.parts)
    return overflow ? .max : Amount(sum)
  }

  /// Not below 0.
  package static func - (left: Amount, right: Amount) -> Amount {
    left > right ? Amount(left.parts - right.parts) : .zero
  }

  /// So many hundredths of it, rounded down.
  package func percent(_ percent: Int) -> Amount { scaled(percent, over: 100) }

  /// `self * factor / divisor`, rounded down; the largest amount when it does not fit.
  ///
  /// - Parameters:
  ///   - factor: Not below 0.
  ///   - divisor: Above 0.
  /// - Returns: The amount.
  package func scaled(_ factor: Int, over divisor: Int) -> Amount {
    let product = Int128(parts) * Int128(factor) / Int128(divisor)
    return product > Int128(Int.max) ? .max : Amount(Int(product))
  }
}
