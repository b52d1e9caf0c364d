/// What running costs: size × time × price, with a share of it for a node that asks for less.
package enum Cost {
  private static let hour = 3_600_000

  /// The cost of a size over a time.
  ///
  /// - Parameters:
  ///   - size: Thousandths of a core (`Capacity.coreEquivalent`).
  ///   - milliseconds: Of running.
  ///   - price: Of a core-hour.
  ///   - percent: What the node asks of the price, 1 to 100.
  /// - Returns: Rounded up to 10⁻⁹ FOG, so that nothing that ran is free.
  package static func of(
    size: Int,
    milliseconds: Int,
    price: Amount,
    percent: Int = 100
  ) -> Amount {
    let product = Int128(size) * Int128(milliseconds) * Int128(price.parts) * Int128(percent)
    let divisor = Int128(1000) * Int128(hour) * Int128(100)
    let parts = (product + divisor - 1) / divisor
    return parts > Int128(Int.max) ? .max : Amount(Int(parts))
  }

  /// The most that a job can cost: all of its longest time, at the full price.
  package static func estimate(_ requirements: Requirements, price: Amount) -> Amount {
    of(
      size: Capacity(requirements).coreEquivalent,
      milliseconds: requirements.maxDurationSeconds * 1000,
      price: price
    )
  }
}
